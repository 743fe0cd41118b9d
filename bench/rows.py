"""The rows of the benchmark: what is asked of a server, and what the gateway is to reach.

A row is the load generator's arguments, the figure that counts, and the server whose figure it is
divided by. Targets are for the gateway with one worker. A row with no target but something to reach
is shown among the targets for its ratio.
"""

import dataclasses

IDLE_CONNECTIONS = 15000
IDLE_TLS_CONNECTIONS = 5000
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
    connections: int = 0  # of idle rows
    shows_bytes: bool = False  # what a message is on the wire, beside the figure

    @property
    def is_idle(self):
        return self.connections > 0

    @property
    def is_shown_first(self):
        return self.target_title != ""


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
        ping_seconds=IDLE_PING_SECONDS, connections=IDLE_CONNECTIONS),
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
    Row("deflate", "Fan-out of 1 KiB of JSON to 1,000 subscribers, one in flight, deflated and not",
        (*fanout(1), "--payload", "json:1024"), "subscribe_path",
        "server_cpu_ns_each", "CPU a delivery", "tidegate", 0,
        "CPU a delivery and bytes on the wire, compressed over uncompressed",
        measured="tidegate, deflate", shows_bytes=True),
    Row("echo_tls", "Echo over TLS and plain, 100 connections, one message in flight on each",
        ("--mode", "echo", "--connections", "100"), "echo_path",
        "server_cpu_ns_each", "CPU a message", "tidegate", 0,
        "CPU a message, TLS over plain",
        measured="tidegate, TLS", shows_bytes=True),
    Row("fanout_tls", "Fan-out to 1,000 subscribers over TLS and plain, one in flight",
        fanout(1), "subscribe_path",
        "server_cpu_ns_each", "CPU a delivery", "tidegate", 0,
        "CPU a delivery, TLS over plain",
        measured="tidegate, TLS", shows_bytes=True),
    Row("idle_tls", "Idle connections over TLS and plain, pinged both ways",
        ("--mode", "idle"), "subscribe_path",
        "bytes_each", "resident bytes each", "", 0,
        "resident bytes each over TLS, pings included",
        measured="tidegate, TLS", ping_seconds=IDLE_PING_SECONDS,
        connections=IDLE_TLS_CONNECTIONS),
)
