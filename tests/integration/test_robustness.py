"""Noise: mutated requests and frames, connections that come and go while settings are reloaded.
Seeded, so that what fails once fails again. The gateway must serve on and end cleanly."""

import asyncio
import random
import signal
import socket
import threading
import time
import unittest

import websockets

from support import cases, gateway, httpraw, names, wsraw

ROUNDS = 400
REQUESTS = [
    b"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /channels/kept:n?history=3&since=:0&format=json HTTP/1.1\r\nHost: a\r\n"
    b"Accept: text/event-stream\r\nLast-Event-ID: abcdefgh:3\r\n\r\n",
    b"POST /api/publish HTTP/1.1\r\nHost: a\r\nX-API-Key: " + names.API_KEY.encode()
    + b"\r\nContent-Length: 50\r\n\r\n" + b'{"channel":"kept:n","data":{"a":[1,2,"\\u00e9",null]}}'[:50],
    b"POST /api/batch HTTP/1.1\r\nHost: a\r\nX-API-Key: " + names.API_KEY.encode()
    + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'2e\r\n{"commands":[{"history":{"channel":"kept:n"}}]\r\n1\r\n}\r\n0\r\n\r\n',
    b"POST /channels/kept:n HTTP/1.1\r\nHost: a\r\nX-API-Key: " + names.API_KEY.encode()
    + b"\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
    httpraw.head_of("GET", "/echo", wsraw.upgrade_headers("dGhlIHNhbXBsZSBub25jZQ=="))
    + wsraw.frame(wsraw.TEXT, b"hello") + wsraw.frame(wsraw.CLOSE, b"\x03\xe8"),
]
CONFIG = gateway.settings(
    (names.HEAD_TIMEOUT, "1s"), (names.BODY_TIMEOUT, "1s"), (names.CLOSE_TIMEOUT, "500ms"),
    workers=2,
    channel={"namespaces": [{"name": "kept", "history_size": 50, "history_ttl": "10m"}]},
    routes=gateway.BASE["routes"] + [
        {"path": "/talk", "kind": "channel", "channel": "kept:talk", "client_publish": True}])


def mutate(data, source):
    """A few small faults: bytes changed, dropped, doubled, cut off."""
    data = bytearray(data)
    for _ in range(source.randint(1, 6)):
        if not data:
            break
        at = source.randrange(len(data))
        kind = source.randrange(5)
        if kind == 0:
            data[at] = source.randrange(256)
        elif kind == 1:
            del data[at:at + source.randint(1, 8)]
        elif kind == 2:
            data[at:at] = data[at:at + source.randint(1, 40)]
        elif kind == 3:
            data[at:at] = source.choice([b"\r\n", b"\0", b"\r", b"\n", b":", b" ", b"\xff", b"%"])
        else:
            del data[at:]
    return bytes(data)


class Noise(cases.GatewayCase):
    """Mutations of good input."""

    config = CONFIG

    def send(self, data, source):
        with socket.create_connection(self.gateway.address(), 5) as connection:
            connection.settimeout(0.02)
            try:
                for piece in self.pieces(data, source):
                    connection.sendall(piece)
                if source.random() < 0.5:
                    connection.shutdown(socket.SHUT_WR)
                connection.recv(65536)
            except OSError:
                pass

    @staticmethod
    def pieces(data, source):
        if source.random() < 0.5:
            yield data
            return
        at = 0
        while at < len(data):
            size = source.randint(1, 50)
            yield data[at:at + size]
            at += size

    def serves(self):
        with wsraw.WebSocket(self.gateway.address(), "/echo") as ws:
            ws.send(wsraw.TEXT, b"well")
            self.assertEqual(ws.read_message(), (wsraw.TEXT, b"well"))

    def test_mutated_requests_harm_nobody(self):
        source = random.Random(1)
        for _ in range(ROUNDS):
            self.send(mutate(source.choice(REQUESTS), source), source)
        self.serves()

    def test_mutated_frames_harm_nobody(self):
        source = random.Random(2)
        head = httpraw.head_of("GET", "/talk", wsraw.upgrade_headers())
        for _ in range(ROUNDS):
            frames = b"".join(
                wsraw.frame(source.choice([0, 1, 1, 2, 8, 9, 10, source.randrange(16)]),
                            source.randbytes(source.choice([0, 1, 2, 5, 125, 126, 300, 70000])),
                            fin=source.random() < 0.8, masked=source.random() < 0.95)
                for _ in range(source.randint(1, 5)))
            self.send(head + (mutate(frames, source) if source.random() < 0.5 else frames), source)
        self.serves()

    def test_every_cut_of_a_conversation_harms_nobody(self):
        data = REQUESTS[-1]
        for cut in range(0, len(data), 2):
            with socket.create_connection(self.gateway.address(), 5) as connection:
                connection.sendall(data[:cut])
        self.serves()

    def test_connections_reset_in_the_middle_harm_nobody(self):
        source = random.Random(3)
        for _ in range(ROUNDS):
            connection = socket.create_connection(self.gateway.address(), 5)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.sendall(source.choice(REQUESTS)[:source.randint(1, 400)])
            connection.close()
        self.serves()
        self.gateway.wait_for_metric(names.CONNECTIONS, lambda n: n == 0, transport="websocket")
        self.gateway.wait_for_metric(names.SUBSCRIPTIONS, lambda n: n == 0)


class Churn(cases.AsyncGatewayCase):
    """Everything at once."""

    config = CONFIG

    async def visitor(self, number, end):
        source = random.Random(number)
        while time.monotonic() < end:
            path = source.choice(["/echo", "/talk", "/channels/kept:talk?format=json&since=:0",
                                  "/channels/kept:other?history=10"])
            try:
                async with websockets.connect(self.gateway.ws(path), compression=None,
                                              open_timeout=5, close_timeout=1) as ws:
                    self.visits += 1
                    for _ in range(source.randint(0, 10)):
                        if not path.startswith("/channels"):  # there it would be refused
                            await ws.send("x" * source.randint(0, 2000))
                        await asyncio.sleep(source.uniform(0, 0.01))
                    if source.random() < 0.3:
                        ws.transport.abort()
            except (OSError, websockets.WebSocketException, asyncio.TimeoutError):
                self.failures += 1

    def publisher(self, end):
        with self.gateway.api() as api:
            while time.monotonic() < end:
                api.call("broadcast", {"channels": ["kept:talk", "kept:other"], "data": "y" * 500})
                api.call("history_remove", {"channel": "kept:other"})

    async def test_visits_publications_and_reloads_go_together(self):
        self.visits = self.failures = 0
        end = time.monotonic() + 5
        thread = threading.Thread(target=self.publisher, args=(end,))
        thread.start()
        visitors = [asyncio.ensure_future(self.visitor(n, end)) for n in range(20)]
        while time.monotonic() < end:
            self.gateway.signal(signal.SIGHUP)
            await asyncio.sleep(0.2)
        await asyncio.gather(*visitors)
        thread.join()
        self.assertGreater(self.visits, 100)
        self.assertLess(self.failures, self.visits / 10)
        for name in (names.SUBSCRIPTIONS, names.QUEUE_BYTES):
            self.gateway.wait_for_metric(name, lambda n: n == 0)
        self.gateway.wait_for_metric(names.CONNECTIONS, lambda n: n == 0, transport="websocket")


if __name__ == "__main__":
    unittest.main()
