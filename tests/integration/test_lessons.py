"""What other gateways, servers and libraries had to learn, tried on this one. Each test names, in
its first line, the class of failure it guards against."""

import json
import pathlib
import socket
import struct
import time
import unittest
import zlib

from support import cases, gateway, httpraw, names, wsraw

DEFLATE = [("Sec-WebSocket-Extensions", "permessage-deflate")]
KEY = [("X-API-Key", names.API_KEY)]
KEPT = {"namespaces": [{"name": "kept", "history_size": 100, "history_ttl": "1m"}]}
LIVEZ = httpraw.head_of("GET", "/livez")
CHUNKED = "POST /api/info HTTP/1.1\r\nHost: a\r\nX-API-Key: " + names.API_KEY \
    + "\r\nTransfer-Encoding: chunked\r\n\r\n"


def server_cpu(pid):
    """Nanoseconds that all threads of a process have run."""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


def virtual_bytes(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[0]) * 4096


def resident_bytes(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


class Lesson(cases.GatewayCase):
    """One gateway with a route of each kind; after each test it still serves."""

    config = gateway.settings((names.HEADER_COUNT_MAX, 30), channel=KEPT)

    @classmethod
    def setUpClass(cls):
        config = gateway.merge(cls.make_config(), {})
        config["routes"] += [
            {"path": "/page/*", "kind": "files", "root": "page"},
            {"path": "/room/{room}", "kind": "channel", "channel": "room-{room}",
             "client_publish": True},
        ]
        cls.gateway = gateway.Gateway(config)
        (cls.gateway.folder / "page" / "sub").mkdir(parents=True)
        (cls.gateway.folder / "page" / "a.txt").write_text("0123456789", encoding="utf-8")
        cls.gateway.start()

    def setUp(self):
        super().setUp()
        self.address = self.gateway.address()

    def tearDown(self):
        with wsraw.WebSocket(self.address, "/echo") as ws:
            ws.send(wsraw.TEXT, b"still here")
            self.assertEqual(ws.read_message()[1], b"still here")

    def connect(self):
        connection = httpraw.Connection(self.address)
        self.addCleanup(connection.close)
        return connection

    def open(self, path="/echo", headers=()):
        ws = wsraw.WebSocket(self.address, path, headers)
        self.addCleanup(ws.close)
        return ws

    def answers(self, data):
        """The statuses of all answers to `data`, until the gateway closes or asks for more."""
        statuses = []
        with httpraw.Connection(self.address, timeout=2) as connection:
            connection.send(data)
            connection.socket.shutdown(socket.SHUT_WR)
            try:
                while True:
                    statuses.append(connection.read_response().status)
            except (ConnectionError, socket.timeout):
                return statuses

    def refused_once(self, data, statuses=(400,)):
        """`data` hides a second request: it must get one refusal, and nothing else an answer."""
        if isinstance(data, str):
            data = data.encode("latin-1")
        got = self.answers(data)
        self.assertEqual(len(got), 1, f"{data[:200]!r} got {got}")
        self.assertIn(got[0], statuses, f"{data[:200]!r}")


class Smuggling(Lesson):
    """Whose bytes are whose."""

    def test_bytes_after_a_refused_upgrade_are_never_frames(self):
        """A connection taken for a tunnel before the upgrade was agreed to."""
        frames = wsraw.frame(wsraw.TEXT, b"smuggled") + wsraw.frame(wsraw.PING, b"x")
        for change in ({"version": "8"}, {"key": "c2hvcnQ="}, {"Origin": "null"}):
            with self.subTest(change=change):
                head = httpraw.head_of("GET", "/nothing-here", wsraw.upgrade_headers(**change))
                got = self.answers(head + frames)
                self.assertIn(got, ([404], [404, 400]))
        got = self.answers(httpraw.head_of("GET", "/echo", wsraw.upgrade_headers(version="8"))
                           + frames)
        self.assertIn(got, ([426], [426, 400]))

    def test_bytes_after_a_refused_upgrade_are_the_next_request_or_nothing(self):
        """A refused upgrade's pipelined bytes forwarded past the rules for requests."""
        head = httpraw.head_of("GET", "/echo", wsraw.upgrade_headers(version="8"))
        got = self.answers(head + LIVEZ)
        self.assertIn(got, ([426], [426, 200]))
        got = self.answers(head + httpraw.head_of("POST", "/api/info",
                                                  [("Content-Length", "2")]) + b"{}")
        self.assertIn(got, ([426], [426, 401]), "the key is asked for behind an upgrade, too")

    def test_bytes_after_an_upgrade_are_never_a_request(self):
        """HTTP answered inside a tunnel."""
        ws = self.open()
        ws.connection.send(LIVEZ)
        self.assertEqual(ws.read_close(), 1002)

    def test_only_a_whole_handshake_is_answered_101(self):
        """Something less than a handshake taken for one."""
        for missing in ("Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version"):
            for headers in ([h for h in wsraw.upgrade_headers() if h[0] != missing],
                            [(n, "" if n == missing else v) for n, v in wsraw.upgrade_headers()],
                            [(n, "x" + v if n == missing else v)
                             for n, v in wsraw.upgrade_headers()]):
                with self.subTest(missing=missing, headers=headers):
                    head = httpraw.head_of("GET", "/echo", headers)
                    self.assertIn(self.answers(head)[0], (400, 426))
        for line in ("GET /echo HTTP/1.0", "HEAD /echo HTTP/1.1", "PUT /echo HTTP/1.1"):
            head = httpraw.head_of("GET", "/echo", wsraw.upgrade_headers())
            head = head.replace(b"GET /echo HTTP/1.1", line.encode())
            with httpraw.Connection(self.address) as connection:
                connection.send(head)
                self.assertNotEqual(connection.read_head()[0], 101, line)

    def test_a_repeated_handshake_header_is_refused(self):
        """Two readers of one request that choose different values."""
        for name, value in (("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
                            ("Sec-WebSocket-Version", "8"), ("Origin", "http://b.example")):
            headers = wsraw.upgrade_headers(Origin="http://a.example") + [(name, value)]
            with self.subTest(name=name):
                got = self.answers(httpraw.head_of("GET", "/echo", headers))
                self.assertIn(got[0] if got else None, (400, 403, 426))

    def test_two_lengths_are_refused_and_not_weighed(self):
        """Content-Length against Transfer-Encoding: request smuggling."""
        post = "POST /api/info HTTP/1.1\r\nHost: a\r\n"
        hidden = "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"
        both = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        self.refused_once(post + both + hidden)
        for pair in ("Content-Length: 0\r\nContent-Length: 35\r\n",
                     "Content-Length: 0, 35\r\n", "Content-Length: 0 35\r\n",
                     "Content-Length: +0\r\n", "Content-Length: 0x0\r\n", "Content-Length: 0.\r\n",
                     "Content-Length: \r\n", "Content-Length:0\r\nContent-Length :35\r\n",
                     "Content-Length: 18446744073709551616\r\n"):
            with self.subTest(pair=pair):
                self.refused_once(post + pair + "\r\n" + hidden)

    def test_a_transfer_coding_that_is_not_plainly_chunked_is_refused(self):
        """Obfuscated Transfer-Encoding, seen by one reader and not by the next."""
        for value in ("chunked, identity", "identity", "xchunked", "chunked;q=1", "chunked\x0b",
                      "chunked\r\nTransfer-Encoding: chunked", "chunked, chunked", "\"chunked\"",
                      "gzip, chunked", ",chunked,", "\r\n chunked", "chun\r\n ked"):
            with self.subTest(value=value):
                self.refused_once("POST /api/info HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                                  f"{value}\r\n\r\n0\r\n\r\n" + LIVEZ.decode(), (400, 501))
        self.refused_once("POST /api/info HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
                          "\r\n0\r\n\r\n" + LIVEZ.decode())

    def test_a_refused_body_is_not_the_next_request(self):
        """A body left in the connection by an early refusal, read as a request."""
        inner = httpraw.head_of("GET", "/livez")
        for path, status in (("/nothing", 404), ("/page/a.txt", 405), ("/api/info", 401),
                             ("/channels/x", 401), ("/livez", 405), ("/metrics", 405)):
            for framing in ([("Content-Length", str(len(inner)))],
                            [("Content-Length", str(len(inner))), ("Expect", "100-continue")],
                            [("Transfer-Encoding", "chunked")]):
                with self.subTest(path=path, framing=framing):
                    self.refused_once(httpraw.head_of("POST", path, framing) + inner, (status,))

    def test_a_body_that_ends_with_the_connection_is_no_body(self):
        """HTTP/1.0 requests whose body nobody can find the end of."""
        got = self.answers(b"POST /api/info HTTP/1.0\r\nHost: a\r\nX-API-Key: "
                           + names.API_KEY.encode() + b"\r\n\r\n" + LIVEZ)
        self.assertEqual(len(got), 1, got)

    def test_line_ends_are_cr_and_lf(self):
        """Bare CR, bare LF and folded lines that hide a header from the next reader."""
        get = "GET /livez HTTP/1.1\r\nHost: a\r\n"
        for bad in (get + "X: a\rTransfer-Encoding: chunked\r\n\r\n", get + "X: a\n\r\n",
                    get + "X: a\r\n b\r\n\r\n", get + "X: a\r\n\tb\r\n\r\n", get + "X: a\r\n\rY",
                    get + "\n", get + "X: a\r\r\n\r\n", get + "X:\r\n \r\n\r\n",
                    "GET /livez HTTP/1.1\nHost: a\r\n\r\n", "GET /livez HTTP/1.1\r\n Host: a\r\n\r\n",
                    "GET\t/livez HTTP/1.1\r\nHost: a\r\n\r\n", "GET  /livez HTTP/1.1\r\nHost: a\r\n\r\n",
                    "GET /livez\x0bHTTP/1.1\r\nHost: a\r\n\r\n", get + "X: a\0b\r\n\r\n"):
            with self.subTest(bad=bad):
                self.refused_once(bad + LIVEZ.decode())

    def test_an_empty_or_strange_header_name_is_refused(self):
        """An empty name that ends the list early and hides what follows."""
        for name in ("", " ", "\t", "X ", " X", "X\0", "X(", "X\x7f", "H\xf6st", "X\x80"):
            with self.subTest(name=name):
                self.refused_once(f"GET /livez HTTP/1.1\r\nHost: a\r\n{name}: b\r\n\r\n")

    def test_a_long_header_name_is_not_another_headers(self):
        """A name's length cut to a byte, so that it became a forged Content-Length."""
        for length in (14 + 256, 14 + 512, 14 + 4096, 255, 256, 257):
            name = ("Content-Length" + "a" * length)[:length]
            with self.subTest(length=length):
                head = httpraw.head_of("GET", "/livez", [(name, str(len(LIVEZ)))])
                self.assertEqual(self.answers(head + LIVEZ), [200, 200])

    def test_chunks_are_sized_strictly(self):
        """Signed, prefixed or overlong chunk sizes; bare LF in a chunk's line or extension."""
        for bad in ("-1\r\n{}\r\n", "+2\r\n{}\r\n", "0x2\r\n{}\r\n", " 2\r\n{}\r\n", "2 \n{}\r\n",
                    "\r\n{}\r\n", "2\n{}\r\n", "2;a\n{}\r\n", "2;a=\"\n\"\r\n{}\r\n", "2\r{}\r\n",
                    "2\r\n{}\n", "2\r\n{}XX", "2\r\n{}0\r\n\r\n", "2;\r\r\n{}\r\n", "g\r\n"):
            with self.subTest(bad=bad):
                self.refused_once(CHUNKED + bad + "0\r\n\r\n" + LIVEZ.decode())
        for huge in ("FFFFFFFFFFFFFFFF", "8000000000000000", "7FFFFFFFFFFFFFFF",
                     "10000000000000002", "0" * 300 + "2", "FFFFFFFF", "80000000"):
            with self.subTest(huge=huge):
                self.refused_once(CHUNKED + huge + "\r\n{}\r\n0\r\n\r\n", (400, 413, 431))

    def test_trailers_cannot_say_what_heads_say(self):
        """Fields after the body that change how the next request is read."""
        for trailer in ("Content-Length: 100", "Transfer-Encoding: chunked", "Host: evil",
                        "X-API-Key: x"):
            with self.subTest(trailer=trailer):
                got = self.answers((CHUNKED + f"2\r\n{{}}\r\n0\r\n{trailer}\r\n\r\n").encode()
                                   + LIVEZ)
                self.assertIn(got, ([200, 200], [400]))

    def test_one_host_names_the_place(self):
        """No Host, or two, each reader believing another."""
        for hosts in ([], ["a", "b"], ["a", "a"], ["a b"], ["a/b"], ["a@b"], ["a\\b"]):
            lines = "".join(f"Host: {host}\r\n" for host in hosts)
            with self.subTest(hosts=hosts):
                self.refused_once(f"GET /livez HTTP/1.1\r\n{lines}\r\n")


class Frames(Lesson):
    """Lengths, fragments and what is compressed."""

    config = gateway.settings(("websocket.message_size_limit", "16MiB"),
                              ("websocket.fragments_limit", 100),
                              ("websocket.message_timeout", "2s"), channel=KEPT)

    def close_code(self, *data, headers=()):
        ws = self.open(headers=headers)
        for piece in data:
            try:
                ws.connection.send(piece)
            except OSError:
                break
        return ws.read_close()

    @staticmethod
    def header(opcode, length, fin=True):
        return struct.pack("!BBQ", (0x80 if fin else 0) | opcode, 0x80 | 127, length) + b"mask"

    def test_a_length_is_never_negative_and_never_wraps(self):
        """A 64-bit length that became negative, or wrapped around in a sum."""
        first = wsraw.frame(wsraw.BINARY, b"x" * 1000, fin=False)
        for length in (1 << 63, (1 << 64) - 1, (1 << 63) - 1, 1 << 32, (1 << 31) + 1, 1 << 31,
                       (1 << 64) - 999, (1 << 64) - 1000, (1 << 63) - 1000):
            with self.subTest(length=length):
                self.assertIn(self.close_code(self.header(wsraw.BINARY, length) + b"x"), (1002, 1009))
                self.assertIn(self.close_code(first, self.header(0, length) + b"x"), (1002, 1009))

    def test_a_declared_length_takes_no_memory(self):
        """Memory for a whole frame, taken when its header came."""
        before = virtual_bytes(self.gateway.pid)
        for _ in range(40):
            self.open().connection.send(self.header(wsraw.BINARY, 16 << 20) + b"x" * 100)
        self.open().close()
        self.gateway.metrics()
        self.assertLess(virtual_bytes(self.gateway.pid) - before, 200 << 20)

    def test_tiny_fragments_are_counted(self):
        """Many tiny fragments, each pinning more than it holds."""
        for piece in (b"", b"x"):
            frames = wsraw.frame(wsraw.BINARY, piece, fin=False) \
                + wsraw.frame(wsraw.CONTINUATION, piece, fin=False) * 150
            with self.subTest(piece=piece):
                self.assertEqual(self.close_code(frames), 1008)

    def test_pings_between_fragments_do_not_hold_a_message_open(self):
        """A message that never ends, kept alive by control frames."""
        ws = self.open()
        ws.send(wsraw.TEXT, b"x", fin=False)
        end = time.monotonic() + 10
        try:
            while time.monotonic() < end:
                ws.send(wsraw.PING, b"")
                time.sleep(0.2)
        except OSError:
            pass
        self.assertLess(time.monotonic(), end, "it may go on for ever")

    def test_a_bomb_is_bounded_while_it_is_inflated(self):
        """A few kilobytes that inflate to gigabytes, measured only afterwards."""
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        bomb = packer.compress(bytes(256 << 20)) + packer.flush(zlib.Z_SYNC_FLUSH)
        before = resident_bytes(self.gateway.pid)
        code = self.close_code(wsraw.frame(wsraw.BINARY, bomb[:-4], reserved=4), headers=DEFLATE)
        self.assertEqual(code, 1009)
        self.assertLess(resident_bytes(self.gateway.pid) - before, 128 << 20)

    def test_a_bomb_in_fragments_is_one_message(self):
        """A limit on each frame that forgets the message."""
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        bomb = packer.compress(bytes(64 << 20)) + packer.flush(zlib.Z_SYNC_FLUSH)
        step = len(bomb) // 50
        frames = [wsraw.frame(wsraw.BINARY if at == 0 else 0, bomb[at:at + step], fin=False,
                              reserved=4 if at == 0 else 0) for at in range(0, len(bomb), step)]
        self.assertEqual(self.close_code(*frames, headers=DEFLATE), 1009)

    def test_an_empty_compressed_frame_is_an_empty_message_or_an_error(self):
        """An empty compressed frame that crashed the server."""
        ws = self.open(headers=DEFLATE)
        ws.send(wsraw.TEXT, b"\0", reserved=4)
        self.assertEqual(ws.read_message(), (wsraw.TEXT, b""))
        for frames in (wsraw.frame(wsraw.TEXT, b"", reserved=4),
                       wsraw.frame(wsraw.TEXT, b"", fin=False, reserved=4)
                       + wsraw.frame(wsraw.CONTINUATION, b"")):
            ws = self.open(headers=DEFLATE)
            ws.connection.send(frames + wsraw.frame(wsraw.CLOSE, wsraw.close_payload(1000)))
            with self.subTest(frames=frames):
                self.assertIn(ws.read_close(), (1000, 1007))

    def test_compressed_blocks_that_hold_nothing_end_soon(self):
        """Input that makes work and no output, so that no limit on output sees it."""
        for block in (b"\x00\x00\x00\xff\xff", b"\x03\x00"):
            packer = zlib.compressobj(9, zlib.DEFLATED, -15)
            begin = packer.compress(bytes(32768)) + packer.flush(zlib.Z_SYNC_FLUSH)
            before = server_cpu(self.gateway.pid)
            ws = self.open(headers=DEFLATE)
            ws.send(wsraw.BINARY, begin + block * (200000 // len(block)) + b"\0", reserved=4)
            first = ws.connection.read_exactly(1)[0] & 0x0F
            with self.subTest(block=block):
                self.assertIn(first, (wsraw.BINARY, wsraw.CLOSE))
                self.assertLess(server_cpu(self.gateway.pid) - before, 2_000_000_000)

    def test_a_reserved_bit_nobody_agreed_to_is_an_error(self):
        """Bits of extensions that were not negotiated, or on frames that cannot have them."""
        self.assertEqual(self.close_code(wsraw.frame(wsraw.TEXT, b"\0", reserved=4)), 1002)
        for frames in (wsraw.frame(wsraw.PING, b"", reserved=4),
                       wsraw.frame(wsraw.TEXT, b"\0", reserved=2),
                       wsraw.frame(wsraw.TEXT, b"\0", fin=False, reserved=4)
                       + wsraw.frame(wsraw.CONTINUATION, b"", reserved=4)):
            with self.subTest(frames=frames):
                self.assertEqual(self.close_code(frames, headers=DEFLATE), 1002)

    def test_a_close_frame_is_checked_however_it_comes(self):
        """Close payloads of one byte, forbidden codes, and reasons checked only in part."""
        bad = wsraw.close_payload(1000, b"abc\xff")
        for payload, code in ((b"\x03", 1002), (wsraw.close_payload(1005), 1002),
                              (wsraw.close_payload(999), 1002), (wsraw.close_payload(5000), 1002),
                              (bad, 1007)):
            frame = wsraw.frame(wsraw.CLOSE, payload)
            with self.subTest(payload=payload):
                self.assertEqual(self.close_code(frame), code)
                if len(frame) > 8:
                    self.assertEqual(self.close_code(frame[:-2], frame[-2:]), code)

    def test_half_a_frame_costs_no_work(self):
        """A parser that loops without progress on what is not whole yet."""
        ends = (b"\x82", b"\x82\xfe", b"\x82\xfe\x00", b"\x82\xff" + bytes(5),
                wsraw.frame(wsraw.BINARY, b"x" * 9)[:-1])
        for end in ends:
            self.open().connection.send(end)
        before = server_cpu(self.gateway.pid)
        time.sleep(0.5)
        self.assertLess(server_cpu(self.gateway.pid) - before, 250_000_000)


class Handshakes(Lesson):
    """Who is let in, and by what rules."""

    config = gateway.settings(
        (names.ALLOWED_ORIGINS, ["https://shop.example", "https://*.shop.example:444"]),
        (names.HEAD_TIMEOUT, "500ms"), (names.HEADER_COUNT_MAX, 30))

    def status(self, headers, path="/echo"):
        connection = self.connect()
        connection.send(httpraw.head_of("GET", path, headers))
        return connection.read_head()[0]

    def test_an_origin_is_compared_whole(self):
        """Cross-site hijacking by an Origin that is nearly the allowed one."""
        self.assertEqual(self.status(wsraw.upgrade_headers(Origin="https://shop.example")), 101)
        for origin in ("http://shop.example", "https://shop.example.evil.example",
                       "https://evil-shop.example", "https://shop.example:8443", "null", "",
                       "https://shop.example@evil.example", "https://shop.example/",
                       "https://shop.example#", "https://evil.example/https://shop.example",
                       "https://shop.example https://evil.example", "https://a.shop.example",
                       "https://evil.example/.shop.example:444", "shop.example", "*",
                       "https://evil.example#.shop.example:444",
                       "https://evil.example?.shop.example:444",
                       "https://u@evil.example/x.shop.example:444"):
            with self.subTest(origin=origin):
                self.assertEqual(self.status(wsraw.upgrade_headers(Origin=origin)), 403)
                self.assertEqual(self.status(wsraw.upgrade_headers(Origin=origin), "/channels/x"),
                                 403)

    def test_every_version_but_13_is_refused(self):
        """Draft framings with lengths of their own."""
        for version in ("0", "7", "8", "12", "14", "113", "13.0", "+13", "0x0d", "-13", "013"):
            with self.subTest(version=version):
                self.assertIn(self.status(wsraw.upgrade_headers(version=version)), (400, 426))
        old = [("Upgrade", "WebSocket"), ("Connection", "Upgrade"),
               ("Sec-WebSocket-Key1", "4 @1  46546xW%0l 1 5"), ("Sec-WebSocket-Key2", "12998 5 Y3")]
        self.assertIn(self.status(old), (400, 426))

    def test_too_many_headers_are_refused_and_as_many_as_allowed_are_not(self):
        """A header beyond the table that was taken for one that is there."""
        more = [(f"X-{i}", "y") for i in range(40)]
        allowed = 30 - 1 - len(wsraw.upgrade_headers())
        self.assertEqual(self.status(wsraw.upgrade_headers() + more[:allowed]), 101)
        self.assertEqual(self.status(more + wsraw.upgrade_headers()), 431)
        self.assertEqual(self.status(wsraw.upgrade_headers() + more[:allowed + 1]), 431)

    def test_a_head_that_trickles_is_ended(self):
        """Slow heads that hold a connection, each byte renewing its time."""
        connection = self.connect()
        head = httpraw.head_of("GET", "/echo", wsraw.upgrade_headers())
        connection.send(head[:15], piece=1, pause=0.1)
        self.assertEqual(connection.read_response().status, 408)

    def test_extensions_nobody_knows_are_passed_over(self):
        """Several extensions at once, known and not, in one header or in many."""
        for offers in (["x-unknown; a=b, permessage-deflate", "x-webkit-deflate-frame"],
                       ["permessage-deflate, permessage-deflate; client_max_window_bits"],
                       ["permessage-deflate"] * 10, [", ,", "permessage-deflate"]):
            headers = wsraw.upgrade_headers() + [("Sec-WebSocket-Extensions", o) for o in offers]
            connection = self.connect()
            connection.send(httpraw.head_of("GET", "/echo", headers))
            status, _, answer = connection.read_head()
            with self.subTest(offers=offers):
                self.assertIn(status, (101, 400))
                agreed = dict(answer).get("sec-websocket-extensions", "")
                self.assertLessEqual(agreed.count("permessage-deflate"), 1)
                self.assertNotIn("x-", agreed)


class Untrusted(Lesson):
    """What a peer says of itself."""

    config = gateway.settings((names.ADDRESS_LIMIT, 5))

    def tearDown(self):
        self.gateway.wait_for_metric(names.CONNECTIONS, lambda n: n <= 1)
        super().tearDown()

    def test_an_address_is_not_taken_from_a_header_of_just_anybody(self):
        """Limits by address that a header talks away."""
        statuses = []
        connections = [httpraw.Connection(self.address) for _ in range(8)]
        for i, connection in enumerate(connections):
            connection.send(httpraw.head_of("GET", "/echo", wsraw.upgrade_headers() + [
                ("X-Forwarded-For", f"192.0.2.{i}"), ("Forwarded", f"for=192.0.2.{i}"),
                ("X-Real-IP", f"192.0.2.{i}")]))
            statuses.append(connection.read_head()[0])
        for connection in connections:
            connection.close()
        self.assertEqual(statuses.count(101), 5, statuses)

    def test_a_proxy_header_is_no_request_where_none_is_expected(self):
        """A PROXY header believed from just anybody."""
        self.refused_once(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + LIVEZ, (400, 505))
        signature = b"\r\n\r\n\0\r\nQUIT\n"
        self.refused_once(signature + b"\x21\x11\0\x0c" + bytes(12) + LIVEZ, (400, 505))


class Answers(Lesson):
    """What is sent out, and to whom."""

    def test_published_lines_cannot_become_fields_of_an_event_stream(self):
        """Line ends in published data that forge events, names and ids."""
        evil = "a\nid: forged\revent: forged\r\n\r\ndata: forged\n\nretry: 1\n:x"
        stream = self.connect()
        stream.send(httpraw.head_of("GET", "/channels/lines", [("Accept", "text/event-stream"),
                                                              ("Last-Event-ID", "forged: 1")]))
        stream.read_head()
        self.gateway.wait_for_metric("tidegate_subscriptions", lambda n: n >= 1)
        raw = httpraw.request(self.address, "POST", "/channels/lines", KEY, evil.encode())
        self.assertEqual(raw.status, 200)
        with self.gateway.api() as api:
            api.publish("lines", {"text": evil})
            api.publish("lines", "last")
        seen = []
        while "data: \"last\"" not in seen:
            seen.append(stream.read_line())
        fields = {line.split(":")[0] for line in seen}
        self.assertLessEqual(fields, {"", "data", "retry"}, seen)
        self.assertEqual([line for line in seen if line.startswith("retry")], ["retry: 1000"])

    def test_a_path_cannot_add_headers_to_an_answer(self):
        """Line ends in a path that come back in Location."""
        for path in ("/page/sub%0d%0aX-Forged:%20a", "/page/sub?%0d%0aX-Forged:a",
                     "/page/%0d%0aX-Forged:a/", "/channels/a%0d%0aX-Forged:b"):
            with self.subTest(path=path):
                answer = self.gateway.get(path)
                self.assertIsNone(answer.header("x-forged"), answer)

    def test_ranges_do_not_overflow(self):
        """Ranges whose sums wrap around."""
        for value in ("bytes=0-18446744073709551615", "bytes=-18446744073709551615",
                      "bytes=9-1", "bytes=0-,0-,0-,0-", "bytes=18446744073709551616-"):
            answer = self.gateway.get("/page/a.txt", headers=[("Range", value)])
            with self.subTest(value=value):
                self.assertIn(answer.status, (200, 206, 416))
                self.assertLessEqual(len(answer.body), 10)

    def test_a_large_file_is_held_once_however_many_read_it_slowly(self):
        """Slow readers that each pin a copy of what they asked for."""
        path = self.gateway.folder / "page" / "large.bin"
        content = bytes(range(256)) * (32 << 10)
        path.write_bytes(content)
        ask = httpraw.head_of("GET", "/page/large.bin")
        slow = []
        before = resident_bytes(self.gateway.pid)
        for _ in range(30):
            connection = self.connect()
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            connection.send(ask)
            connection.read_head()
            slow.append(connection)
        self.assertLess(resident_bytes(self.gateway.pid) - before, 100 << 20)
        self.assertEqual(self.gateway.get("/page/large.bin").body, content)
        path.write_bytes(content[::-1])
        self.assertEqual(self.gateway.get("/page/large.bin").body, content[::-1])
        self.assertEqual(slow[0].read_exactly(len(content)), content)

    def test_json_may_be_deep_or_large_and_is_not_trusted(self):
        """Nesting that ends the stack; numbers that take as long as they say."""
        with self.gateway.api() as api:
            for deep in ("[" * 200000, "{\"a\":" * 100000, "[" * 200000 + "]" * 200000):
                self.assertEqual(api.post("/api/publish", deep).status, 400)
                body = "{\"channel\":\"x\",\"data\":" + deep + "}"
                self.assertEqual(api.post("/api/publish", body).status, 400)
            for number in ("1e999999999", "-1e-999999999", "9" * 10000, "0." + "0" * 10000 + "1"):
                body = "{\"channel\":\"kept:n\",\"data\":" + number + "}"
                self.assertEqual(api.post("/api/publish", body).status, 200)
                body = "{\"channel\":\"kept:n\",\"limit\":" + number + "}"
                self.assertIn(api.post("/api/history", body).status, (200, 400))
            for number in ("1e", "01", "+1", ".5", "1.", "0x1", "NaN", "Infinity", "--1"):
                body = "{\"channel\":\"x\",\"data\":" + number + "}"
                self.assertEqual(api.post("/api/publish", body).status, 400, number)

    def test_answers_for_clients_that_are_gone_go_nowhere(self):
        """An answer that comes to a client that left meanwhile, and finds its memory."""
        body = json.dumps({"commands": [{"publish": {"channel": "kept:gone", "data": 1}}] * 50})
        batch = httpraw.head_of("POST", "/api/batch", KEY + [("Content-Length", str(len(body)))])
        post = httpraw.head_of("POST", "/channels/kept:gone", KEY + [("Content-Length", "1")])
        events = httpraw.head_of("GET", "/channels/kept:gone?history=9",
                                 [("Accept", "text/event-stream")])
        upgrade = httpraw.head_of("GET", "/channels/kept:gone", wsraw.upgrade_headers())
        linger = struct.pack("ii", 1, 0)
        for i in range(200):
            data = (batch + body.encode(), post + b"x", events, upgrade)[i % 4]
            sock = socket.create_connection(self.address)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            sock.sendall(data)
            sock.close()
        self.gateway.wait_for_metric("tidegate_subscriptions", lambda n: n == 0)

    def test_a_channel_name_with_control_characters_is_refused(self):
        """Names that mean something else to the one who reads the log or the stream."""
        for name in ("a%0ab", "a%00b", "a%0db", "%7f", "%ff", "a" * 300, "%", "%zz"):
            answer = self.gateway.get(f"/channels/{name}", headers=[("Accept", "text/event-stream")])
            with self.subTest(name=name):
                self.assertEqual(answer.status, 400)

    def test_a_history_longer_than_a_recovery_is_not_had_for_the_asking(self):
        """One short request that makes a worker walk everything it keeps."""
        config = gateway.settings(("client.recovery_max_publication_limit", 5), channel=KEPT)
        with gateway.Gateway(config) as other, other.api() as api:
            for i in range(20):
                api.publish("kept:x", i)
            with wsraw.WebSocket(other.address(), "/channels/kept:x?history=2000000000") as ws:
                self.assertEqual(ws.read_message()[1], b"15")


class Scaling(Lesson):
    """Eight times the input makes about eight times the work."""

    config = gateway.settings((names.REQUEST_LINE_MAX, "1MiB"), (names.HEADER_BYTES_MAX, "1MiB"),
                              (names.HEADER_COUNT_MAX, 1000), (names.BODY_MAX, "8MiB"),
                              ("http_api.batch_limit", 100000),
                              ("client.trusted_proxies", ["127.0.0.0/8"]))

    def work(self, make, size):
        """Nanoseconds the gateway runs for what make(size) gives: the least of three times."""
        data = make(size)
        taken = []
        for _ in range(3):
            before = server_cpu(self.gateway.pid)
            with httpraw.Connection(self.address) as connection:
                connection.send(data)
                connection.read_head()
                time.sleep(0.02)  # the kernel counts a thread's time when it is switched away
                taken.append(server_cpu(self.gateway.pid) - before)
        return min(taken)

    def assert_linear(self, make, size):
        small, large = self.work(make, size), self.work(make, size * 8)
        self.assertLess(large, max(small, 200_000) * 24 + 2_000_000, f"{small} ns for 1, {large} ns for 8")

    def test_lists_in_headers_are_read_in_linear_time(self):
        """Token lists that take the square of their length, or worse."""
        for name, item in (("Sec-WebSocket-Protocol", "a,"), ("Sec-WebSocket-Extensions", "a;b=c,"),
                           ("Sec-WebSocket-Extensions", "permessage-deflate;x,"),
                           ("Sec-WebSocket-Extensions", "a;b=\"\\\"\";"), ("Connection", "a, "),
                           ("Upgrade", "a, "), ("Origin", "https://a."), ("Cookie", "a=b; "),
                           ("X-Forwarded-For", "127.0.0.1, "), ("Forwarded", "for=127.0.0.1,"),
                           ("Sec-WebSocket-Protocol", "   "), ("X", "a")):
            with self.subTest(name=name, item=item):
                self.assert_linear(lambda n, name=name, item=item: httpraw.head_of(
                    "GET", "/echo", wsraw.upgrade_headers() + [(name, item * (n // len(item)))]),
                    25_000)

    def test_many_headers_are_read_in_linear_time(self):
        """Each header compared with every other."""
        self.assert_linear(lambda n: httpraw.head_of(
            "GET", "/page/a.txt", [(f"X-{i % 7}", "y" * 50) for i in range(n)]), 120)

    def test_paths_and_queries_are_read_in_linear_time(self):
        """Routes and parameters that are tried again from every place."""
        for piece in ("a/", "../", "%2e", "%41"):
            self.assert_linear(lambda n, piece=piece: httpraw.head_of(
                "GET", "/page/" + piece * (n // len(piece))), 25_000)
        for piece in ("a=b&", "&", "history", "=", "%41"):
            self.assert_linear(lambda n, piece=piece: httpraw.head_of(
                "GET", "/channels/x?" + piece * (n // len(piece)) + "&history=x"), 25_000)

    def test_json_is_read_in_linear_time(self):
        """Keys compared with all before them, strings and numbers read twice over."""
        def post(method, body):
            return httpraw.head_of("POST", f"/api/{method}",
                                   KEY + [("Content-Length", str(len(body)))]) + body

        for make in (
                lambda n: post("publish", b'{"channel":"x",' + b'"a":1,' * (n // 6) + b'"data":1}'),
                lambda n: post("publish", b'{"channel":"x","data":"' + b"\\u0041" * (n // 6) + b'"}'),
                lambda n: post("publish", b'{"channel":"x","data":1' + b"0" * n + b"}"),
                lambda n: post("publish", b'{"channel":"x","data":1,"tags":{'
                               + b",".join(b'"k%d":"v"' % i for i in range(n // 10)) + b"}}"),
                lambda n: post("publish", b'{"channel":"x","data":[' + b"[]," * (n // 3) + b"1]}"),
                lambda n: post("broadcast", b'{"data":1,"channels":['
                               + b",".join(b'"c%d"' % i for i in range(n // 8)) + b"]}")):
            self.assert_linear(make, 25_000)

    def test_chunks_are_put_together_in_linear_time(self):
        """A body copied anew for each chunk."""
        self.assert_linear(lambda n: (CHUNKED + "1\r\n \r\n" * (n // 6) + "2\r\n{}\r\n0\r\n\r\n")
                           .encode(), 25_000)


class Disabled(unittest.TestCase):
    """Whatever is switched off, every path has an answer."""

    PATHS = ("/", "/echo", "/channels/x", "/page/a", "/api", "/api/", "/api/info", "/api/publish",
             "/metrics", "/livez", "/readyz", "/admin", "/mqtt", "/connection/websocket", "*",
             "/health", "/a?b", "//", "/%00", "/../x", "/sse")

    def test_every_path_answers_or_is_404_whatever_is_disabled(self):
        """A crash on the path of a feature that is not there."""
        public = {"name": "main", "address": "127.0.0.1", "port": 0, "serves": ["public"]}
        inside = {"name": "inside", "address": "127.0.0.1", "port": 0, "serves": ["internal"]}
        for config in ({"routes": [], "http_api": {"key": ""}},
                       {"routes": [], "listeners": [public, inside]},
                       {"listeners": [public, inside], "websocket": {"compression": False}}):
            with gateway.Gateway(gateway.settings(**config)) as under_test:
                for name in under_test.ports:
                    for path in self.PATHS:
                        self.ask(under_test.address(name), path)

    def ask(self, address, path):
        for method, headers, body in (
                ("GET", [], b""), ("HEAD", [], b""), ("POST", [("Content-Length", "2")], b"{}"),
                ("GET", wsraw.upgrade_headers(), b""), ("OPTIONS", [], b""), ("BREW", [], b""),
                ("GET", wsraw.upgrade_headers() + DEFLATE, b""),
                ("GET", [("Accept", "text/event-stream")], b"")):
            with self.subTest(path=path, method=method, headers=headers):
                with httpraw.Connection(address) as connection:
                    connection.send(httpraw.head_of(method, path, headers) + body)
                    status = connection.read_head()[0]
                self.assertTrue(status < 500 or status in (501, 503), status)

    def test_what_is_not_set_is_small(self):
        """Generous defaults that make memory everybody's."""
        with gateway.Gateway() as under_test:
            with wsraw.WebSocket(under_test.address(), "/echo") as ws:
                ws.connection.send(struct.pack("!BBQ", 0x82, 0xff, (64 << 10) + 1) + b"maskx")
                self.assertEqual(ws.read_close(), 1009)
            too_long = [("Content-Length", str((1 << 20) + 1))]
            with httpraw.Connection(under_test.address()) as connection:
                connection.send(httpraw.head_of("POST", "/api/info", KEY + too_long))
                self.assertEqual(connection.read_response().status, 413)

    def test_no_page_is_let_in_until_it_is_named(self):
        """Cross-site hijacking wherever nobody thought of it."""
        config = gateway.settings()
        del config["client"]["allowed_origins"]
        with gateway.Gateway(config) as under_test:
            with httpraw.Connection(under_test.address()) as connection:
                connection.send(httpraw.head_of("GET", "/echo", wsraw.upgrade_headers(
                    Origin="http://localhost")))
                self.assertEqual(connection.read_head()[0], 403)

    def test_a_proxy_header_may_name_nobody(self):
        """A PROXY header without addresses, as health checks send it, read as if it had some."""
        config = gateway.settings()
        config["listeners"].append({
            "name": "proxied", "address": "127.0.0.1", "port": 0, "serves": ["public", "internal"],
            "proxy_protocol": "required", "proxy_trusted": ["127.0.0.0/8"]})
        signature = b"\r\n\r\n\0\r\nQUIT\n"
        with gateway.Gateway(config) as under_test:
            for header in (b"\x20\0\0\0", b"\x20\x11\0\0", b"\x21\0\0\0",
                           b"\x21\0\0\x04\x04\0\x01a", b"\x20\0\0\x08" + bytes(8)):
                with self.subTest(header=header):
                    with httpraw.Connection(under_test.address("proxied")) as connection:
                        connection.send(signature + header + LIVEZ)
                        self.assertEqual(connection.read_response().status, 200)


if __name__ == "__main__":
    unittest.main()
