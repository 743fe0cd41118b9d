"""The rows of the benchmark: what is asked of a server, and what the gateway is to reach.

A row is the load generator's arguments, the figure that counts, and the server whose figure it is
divided by. Targets are for the gateway with one worker.
"""

import dataclasses

IDLE_CONNECTIONS = 15000
IDLE_PING_SECONDS = 5


@dataclasses.dataclass(frozen=True)
class Row:
    key: str
    title: str
    load: tuple           # arguments of the load generator
    path: str             # attribute of Server: where its connections go
    figure: str           # field of the load generator's result
    figure_title: str
    floor: str            # name of the server to divide by, "" when there is none
    target: float         # the most that the ratio (or, without a floor, the figure) may be
    target_title: str
    measured: str = "tidegate"  # the server the target is for
    ping_seconds: int = 0

    @property
    def is_idle(self):
        return self.key == "idle"


def fanout(in_flight):
    return ("--mode", "fanout", "--connections", "1000", "--in-flight", str(in_flight))


ROWS = (
    Row("echo", "Echo, 100 connections, one message in flight on each",
        ("--mode", "echo", "--connections", "100"), "echo_path",
        "server_cpu_ns_each", "CPU a message", "floor (each)", 1.10,
        "CPU a message at most 1.10 of the floor"),
    Row("fanout1", "Fan-out to 1,000 subscribers, one publication in flight",
        fanout(1), "subscribe_path",
        "server_cpu_ns_each", "CPU a delivery", "floor (each)", 1.10,
        "CPU a delivery at most 1.10 of the floor"),
    Row("fanout16", "Fan-out to 1,000 subscribers, sixteen publications in flight",
        fanout(16), "subscribe_path",
        "server_cpu_ns_each", "CPU a delivery", "floor (coalesce)", 1.25,
        "CPU a delivery at most 1.25 of the coalescing floor"),
    Row("idle", "Idle connections, pinged both ways",
        ("--mode", "idle"), "subscribe_path",
        "bytes_each", "resident bytes each", "", 700,
        "at most 700 resident bytes each, pings included",
        ping_seconds=IDLE_PING_SECONDS),
    Row("accept", "Connect, handshake, close handshake; 64 at once",
        ("--mode", "accept", "--sources", "8"), "echo_path",
        "server_cpu_ns_each", "CPU a connection", "floor (each)", 0, ""),
    Row("workers2", "Fan-out to 1,000 subscribers, one in flight, two workers and one",
        fanout(1), "subscribe_path",
        "server_cpu_ns_each", "CPU a delivery", "tidegate", 1.10,
        "CPU a delivery with two workers at most 1.10 of one worker's",
        measured="tidegate, 2 workers"),
    Row("http", "Fan-out to 1,000 subscribers, one in flight, published by HTTP POST",
        fanout(1), "subscribe_path",
        "server_cpu_ns_each", "CPU a delivery", "", 0, ""),
)
