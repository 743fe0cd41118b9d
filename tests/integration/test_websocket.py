"""RFC 6455 against the real gateway: with python3-websockets for what clients do, and with raw
frames for what they must not."""

import asyncio
import time
import unittest

import websockets

from support import cases, gateway, httpraw, names, wsraw

ROUTES = gateway.BASE["routes"] + [
    {"path": "/chat", "kind": "echo", "subprotocols": ["chat.v2", "chat.v1"]},
]


class Echo(cases.AsyncGatewayCase):
    """What a well-behaved client sees."""

    config = gateway.settings((names.MESSAGE_SIZE, "64KiB"), routes=ROUTES)

    async def test_text_and_binary_come_back_as_they_went(self):
        async with websockets.connect(self.gateway.ws("/echo"), compression=None) as ws:
            for message in ("hello", "", "grüße, 世界 🌊", b"", b"\x00\xff\x80", "x" * 65536,
                            b"\x01" * 65536):
                await ws.send(message)
                self.assertEqual(await ws.recv(), message)

    async def test_each_length_form_of_a_frame_comes_back(self):
        async with websockets.connect(self.gateway.ws("/echo"), compression=None) as ws:
            for size in (1, 125, 126, 127, 65535, 65536):
                await ws.send(b"a" * size)
                self.assertEqual(len(await ws.recv()), size)

    async def test_a_client_that_offers_compression_is_served(self):
        async with websockets.connect(self.gateway.ws("/echo")) as ws:
            await ws.send("compress me" * 100)
            self.assertEqual(await ws.recv(), "compress me" * 100)

    async def test_a_fragmented_message_comes_back_whole(self):
        async with websockets.connect(self.gateway.ws("/echo"), compression=None) as ws:
            await ws.send(["one ", "two ", "", "three"])
            self.assertEqual(await ws.recv(), "one two three")
            await ws.send([b"\x00", b"\x01", b"\x02"])
            self.assertEqual(await ws.recv(), b"\x00\x01\x02")

    async def test_a_ping_is_answered_with_its_payload(self):
        async with websockets.connect(self.gateway.ws("/echo"), compression=None) as ws:
            for payload in (b"", b"abc", b"x" * 125):
                await asyncio.wait_for(await ws.ping(payload), 5)

    async def test_a_close_is_answered_with_its_code(self):
        for code in (1000, 1001, 3000, 4999):
            ws = await websockets.connect(self.gateway.ws("/echo"), compression=None)
            await asyncio.wait_for(ws.close(code, "bye"), 5)
            self.assertEqual(ws.close_code, code)

    async def test_many_messages_keep_their_order(self):
        async with websockets.connect(self.gateway.ws("/echo"), compression=None) as ws:
            async def send():
                for i in range(2000):
                    await ws.send(str(i))
            sender = asyncio.ensure_future(send())
            self.assertEqual([await ws.recv() for _ in range(2000)], [str(i) for i in range(2000)])
            await sender

    async def test_a_message_past_the_limit_closes_with_1009(self):
        async with websockets.connect(self.gateway.ws("/echo"), compression=None) as ws:
            await ws.send(b"x" * 65537)
            with self.assertRaises(websockets.ConnectionClosed):
                await asyncio.wait_for(ws.recv(), 5)
            self.assertEqual(ws.close_code, 1009)

    async def test_fragments_past_the_limit_together_close_with_1009(self):
        async with websockets.connect(self.gateway.ws("/echo"), compression=None) as ws:
            with self.assertRaises(websockets.ConnectionClosed):
                await ws.send([b"x" * 40000, b"x" * 40000])
                await asyncio.wait_for(ws.recv(), 5)
            self.assertEqual(ws.close_code, 1009)

    async def test_the_first_offered_subprotocol_the_route_has_is_chosen(self):
        for offered, wanted in ((["chat.v1"], "chat.v1"), (["x", "chat.v2"], "chat.v2")):
            async with websockets.connect(self.gateway.ws("/chat"), compression=None,
                                          subprotocols=offered) as ws:
                self.assertEqual(ws.subprotocol, wanted)

    async def test_no_subprotocol_is_named_when_none_fits(self):
        async with websockets.connect(self.gateway.ws("/chat"), compression=None,
                                      subprotocols=["other"]) as ws:
            self.assertIsNone(ws.subprotocol)
        async with websockets.connect(self.gateway.ws("/chat"), compression=None) as ws:
            self.assertIsNone(ws.subprotocol)

    async def test_messages_sent_together_with_the_handshake_are_not_lost(self):
        connection = httpraw.Connection(self.gateway.address())
        connection.send(httpraw.head_of("GET", "/echo", wsraw.upgrade_headers())
                        + wsraw.frame(wsraw.TEXT, b"early"))
        self.assertEqual(connection.read_head()[0], 101)
        self.assertEqual(connection.read_exactly(7), b"\x81\x05early")
        connection.close()

    async def test_messages_and_bytes_are_counted(self):
        before = self.gateway.metrics()
        async with websockets.connect(self.gateway.ws("/echo"), compression=None) as ws:
            for _ in range(10):
                await ws.send("count me")
                await ws.recv()
        after = self.gateway.metrics()
        for name in (names.MESSAGES_IN, names.MESSAGES_OUT):
            self.assertEqual(after.value(name) - before.value(name), 10, name)
        self.assertGreaterEqual(after.value(names.BYTES_IN) - before.value(names.BYTES_IN), 80)


class Frames(cases.GatewayCase):
    """Frames no decent client sends: the close code says what was wrong."""

    config = gateway.settings((names.MESSAGE_SIZE, "64KiB"), (names.CLOSE_TIMEOUT, "1s"))

    def open(self):
        return wsraw.WebSocket(self.gateway.address(), "/echo")

    def expect_close(self, code, *frames, piece=None):
        with self.open() as ws:
            try:
                ws.connection.send(b"".join(frames), piece)
            except (BrokenPipeError, ConnectionResetError):
                pass
            self.assertEqual(ws.read_close(), code)
            ws.send(wsraw.CLOSE, wsraw.close_payload(code))
            self.assertTrue(ws.connection.is_closed())

    def test_an_unmasked_frame_closes_with_1002(self):
        self.expect_close(1002, wsraw.frame(wsraw.TEXT, b"hi", masked=False))

    def test_reserved_bits_close_with_1002(self):
        for reserved in (1, 2, 4):
            self.expect_close(1002, wsraw.frame(wsraw.TEXT, b"hi", reserved=reserved))

    def test_a_reserved_opcode_closes_with_1002(self):
        for opcode in (3, 7, 11, 15):
            self.expect_close(1002, wsraw.frame(opcode, b"hi"))

    def test_a_fragmented_ping_closes_with_1002(self):
        self.expect_close(1002, wsraw.frame(wsraw.PING, b"hi", fin=False))

    def test_a_ping_past_125_bytes_closes_with_1002(self):
        self.expect_close(1002, wsraw.frame(wsraw.PING, b"x" * 126))

    def test_a_continuation_of_nothing_closes_with_1002(self):
        self.expect_close(1002, wsraw.frame(wsraw.CONTINUATION, b"hi"))

    def test_a_message_inside_a_message_closes_with_1002(self):
        self.expect_close(1002, wsraw.frame(wsraw.TEXT, b"one", fin=False),
                          wsraw.frame(wsraw.TEXT, b"two"))

    def test_a_length_with_its_top_bit_set_is_refused(self):
        with self.open() as ws:
            ws.send(wsraw.BINARY, b"x", length=0xFFFFFFFFFFFFFFFF)
            self.assertIn(ws.read_close(), (1002, 1009))

    def test_a_declared_length_past_the_limit_closes_with_1009_at_once(self):
        with self.open() as ws:
            ws.send(wsraw.BINARY, b"x", length=1 << 40)
            self.assertEqual(ws.read_close(), 1009)

    def test_text_that_is_not_utf_8_closes_with_1007(self):
        for payload in (b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"ab\xe2\x82"):
            self.expect_close(1007, wsraw.frame(wsraw.TEXT, payload))

    def test_text_split_inside_a_character_is_fine(self):
        with self.open() as ws:
            word = "grün€".encode()
            for i, byte in enumerate(word):
                ws.send(wsraw.TEXT if i == 0 else wsraw.CONTINUATION, bytes([byte]),
                        fin=i == len(word) - 1)
            self.assertEqual(ws.read_message(), (wsraw.TEXT, word))

    def test_a_close_code_that_may_not_be_sent_is_refused_with_1002(self):
        for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000):
            self.expect_close(1002, wsraw.frame(wsraw.CLOSE, wsraw.close_payload(code)))

    def test_a_close_of_one_byte_is_refused_with_1002(self):
        self.expect_close(1002, wsraw.frame(wsraw.CLOSE, b"\x03"))

    def test_a_close_reason_that_is_not_utf_8_is_refused_with_1007(self):
        self.expect_close(1007, wsraw.frame(wsraw.CLOSE, wsraw.close_payload(1000, b"a\xff")))

    def test_a_split_close_reason_that_is_not_utf_8_is_refused_with_1007(self):
        data = wsraw.frame(wsraw.CLOSE, wsraw.close_payload(1000, b"\xffabc"))
        with self.open() as ws:
            ws.connection.send(data[:8])
            time.sleep(0.1)
            ws.connection.send(data[8:])
            self.assertEqual(ws.read_close(), 1007)

    def test_an_empty_close_is_answered(self):
        with self.open() as ws:
            ws.send(wsraw.CLOSE)
            self.assertIn(ws.read_close(), (None, 1000))
            self.assertTrue(ws.connection.is_closed())

    def test_a_ping_between_fragments_is_answered_before_the_message(self):
        with self.open() as ws:
            ws.connection.send(wsraw.frame(wsraw.TEXT, b"one ", fin=False)
                               + wsraw.frame(wsraw.PING, b"now")
                               + wsraw.frame(wsraw.CONTINUATION, b"two"))
            self.assertEqual(ws.read_frame(), (True, wsraw.PONG, b"now"))
            self.assertEqual(ws.read_message(), (wsraw.TEXT, b"one two"))

    def test_frames_byte_by_byte_are_understood(self):
        with self.open() as ws:
            ws.connection.send(wsraw.frame(wsraw.TEXT, b"slowly") * 3, piece=1)
            for _ in range(3):
                self.assertEqual(ws.read_message(), (wsraw.TEXT, b"slowly"))

    def test_many_frames_in_one_packet_are_all_answered(self):
        with self.open() as ws:
            ws.connection.send(b"".join(wsraw.frame(wsraw.BINARY, b"%d" % i)
                                        for i in range(500)))
            self.assertEqual([ws.read_message()[1] for _ in range(500)],
                             [b"%d" % i for i in range(500)])

    def test_a_flood_of_empty_fragments_does_not_grow_the_gateway(self):
        with self.open() as ws:
            try:
                ws.send(wsraw.TEXT, b"", fin=False)
                for _ in range(200):
                    ws.connection.send(wsraw.frame(wsraw.CONTINUATION, b"", fin=False) * 500)
                ws.send(wsraw.CONTINUATION, b"end")
                fin, opcode, payload = ws.read_frame()
            except (BrokenPipeError, ConnectionResetError, ConnectionError):
                return
            self.assertTrue((opcode, payload) == (wsraw.TEXT, b"end") or opcode == wsraw.CLOSE)

    def test_a_flood_of_pings_from_a_client_that_does_not_read_is_bounded(self):
        with self.open() as ws:
            ws.connection.socket.settimeout(1)
            burst = wsraw.frame(wsraw.PING, b"x" * 125) * 1000
            try:
                for _ in range(200):
                    ws.connection.socket.sendall(burst)
            except OSError:
                pass
            self.assertLess(self.gateway.metrics().value(names.QUEUE_BYTES), 2 * 1024 * 1024)

    def test_a_client_that_never_answers_a_close_is_cut_off(self):
        with self.open() as ws:
            ws.send(wsraw.TEXT, b"hi", masked=False)
            self.assertEqual(ws.read_close(), 1002)
            began = time.monotonic()
            self.assertTrue(ws.connection.is_closed(timeout=10))
            self.assertLess(time.monotonic() - began, 6)

    def test_data_after_a_close_is_not_answered(self):
        with self.open() as ws:
            ws.connection.send(wsraw.frame(wsraw.CLOSE, wsraw.close_payload(1000))
                               + wsraw.frame(wsraw.TEXT, b"too late"))
            self.assertEqual(ws.read_close(), 1000)
            self.assertTrue(ws.connection.is_closed())

    def test_a_client_that_vanishes_is_noticed(self):
        ws = self.open()
        self.gateway.wait_for_metric(names.CONNECTIONS, lambda n: n >= 1, transport="websocket")
        ws.close()
        self.gateway.wait_for_metric(names.CONNECTIONS, lambda n: n == 0, transport="websocket")


class Handshake(cases.GatewayCase):
    """Who is let in, and what the others are told."""

    config = gateway.settings(
        (names.ALLOWED_ORIGINS, ["https://shop.example", "https://*.shop.example",
                                 "http://localhost:*"]))

    def ask(self, headers, path="/echo", method="GET"):
        return httpraw.Connection(self.gateway.address()), httpraw.head_of(method, path, headers)

    def status(self, headers, path="/echo"):
        connection, head = self.ask(headers, path)
        with connection:
            connection.send(head)
            return connection.read_head()

    def refused(self, headers, status, path="/echo"):
        connection, head = self.ask(headers, path)
        with connection:
            connection.send(head)
            response = connection.read_response()
            cases.assert_refusal(self, response, status)
            return response

    def changed(self, **changes):
        headers = dict(wsraw.upgrade_headers())
        for name, value in changes.items():
            name = name.replace("_", "-")
            headers.pop(name, None)
            if value is not None:
                headers[name] = value
        return list(headers.items())

    def test_the_example_of_the_standard_is_answered_as_it_says(self):
        status, _, headers = self.status(wsraw.upgrade_headers("dGhlIHNhbXBsZSBub25jZQ=="))
        self.assertEqual(status, 101)
        headers = dict(headers)
        self.assertEqual(headers["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        self.assertEqual(headers["upgrade"].lower(), "websocket")
        self.assertEqual(headers["connection"].lower(), "upgrade")
        self.assertNotIn("sec-websocket-extensions", headers)

    def test_words_and_case_of_the_headers_do_not_matter(self):
        status, _, _ = self.status(self.changed(Upgrade="WebSocket",
                                                Connection="keep-alive, UPGRADE"))
        self.assertEqual(status, 101)

    def test_another_version_is_426_and_names_13(self):
        for version in ("8", "12", "14", "0", "13, 8"):
            with self.subTest(version=version):
                response = self.refused(self.changed(Sec_WebSocket_Version=version), 426)
                self.assertEqual(response.header("sec-websocket-version"), "13")

    def test_no_version_is_refused(self):
        connection, head = self.ask(self.changed(Sec_WebSocket_Version=None))
        with connection:
            connection.send(head)
            self.assertIn(connection.read_response().status, (400, 426))

    def test_a_key_that_is_not_sixteen_bytes_is_400(self):
        for key in ("", "short", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ=",
                    "dGhlIHNhbXBsZSBub25jZQ==dGhl", "!GhlIHNhbXBsZSBub25jZQ=="):
            with self.subTest(key=key):
                self.refused(self.changed(Sec_WebSocket_Key=key), 400)

    def test_no_key_is_400(self):
        self.refused(self.changed(Sec_WebSocket_Key=None), 400)

    def test_a_plain_get_of_an_echo_route_is_426(self):
        response = self.refused([], 426)
        self.assertIn("websocket", response.header("upgrade", "").lower())

    def test_a_post_with_upgrade_headers_is_not_upgraded(self):
        connection, head = self.ask(wsraw.upgrade_headers() + [("Content-Length", "0")],
                                    method="POST")
        with connection:
            connection.send(head)
            self.assertIn(connection.read_response().status, (400, 405))

    def test_an_unknown_path_is_404_also_for_an_upgrade(self):
        self.refused(wsraw.upgrade_headers(), 404, "/no/such")

    def test_a_refused_handshake_is_counted_by_reason(self):
        before = self.gateway.metrics().value(names.HANDSHAKES_REFUSED, reason="version")
        self.refused(self.changed(Sec_WebSocket_Version="8"), 426)
        after = self.gateway.metrics().value(names.HANDSHAKES_REFUSED, reason="version")
        self.assertEqual(after, before + 1)

    def test_allowed_origins_are_let_in(self):
        for origin in ("https://shop.example", "https://www.shop.example", "HTTPS://SHOP.EXAMPLE",
                       "http://localhost:3000"):
            with self.subTest(origin=origin):
                self.assertEqual(self.status(self.changed(Origin=origin))[0], 101)

    def test_other_origins_are_403(self):
        for origin in ("https://evil.example", "http://shop.example", "https://shop.example.evil",
                       "https://evilshop.example", "null", "https://shop.example:8443"):
            with self.subTest(origin=origin):
                self.refused(self.changed(Origin=origin), 403)

    def test_no_origin_is_let_in(self):
        self.assertEqual(self.status(self.changed())[0], 101)

    def test_an_origin_is_refused_for_channels_too(self):
        self.refused(self.changed(Origin="https://evil.example"), 403, "/channels/news")


class NoOrigins(cases.GatewayCase):
    """An empty list lets no page in, but programs."""

    config = gateway.settings((names.ALLOWED_ORIGINS, []))

    def test_any_origin_is_403_and_none_is_let_in(self):
        with httpraw.Connection(self.gateway.address()) as connection:
            connection.send(httpraw.head_of("GET", "/echo", wsraw.upgrade_headers(
                Origin="http://localhost")))
            cases.assert_refusal(self, connection.read_response(), 403)
        with wsraw.WebSocket(self.gateway.address(), "/echo") as ws:
            ws.send(wsraw.TEXT, b"hi")
            self.assertEqual(ws.read_message(), (wsraw.TEXT, b"hi"))


class Pings(cases.GatewayCase):
    """The gateway asks whether a client is still there."""

    config = gateway.settings((names.PING_INTERVAL, "1s"), (names.PONG_TIMEOUT, "500ms"),
                              (names.CLOSE_TIMEOUT, "1s"))

    def test_a_client_that_answers_pings_stays(self):
        with wsraw.WebSocket(self.gateway.address(), "/echo") as ws:
            pings = 0
            end = time.monotonic() + 3.4
            ws.connection.socket.settimeout(2.5)
            while time.monotonic() < end:
                fin, opcode, payload = ws.read_frame()
                self.assertEqual(opcode, wsraw.PING)
                ws.send(wsraw.PONG, payload)
                pings += 1
            self.assertGreaterEqual(pings, 2)
            ws.send(wsraw.TEXT, b"still here")
            self.assertEqual(ws.read_message(), (wsraw.TEXT, b"still here"))

    def test_a_client_that_does_not_answer_is_closed_with_3012(self):
        with wsraw.WebSocket(self.gateway.address(), "/echo") as ws:
            ws.connection.socket.settimeout(6)
            self.assertEqual(ws.read_close(), names.CLOSE_NO_PONG)

    def test_pings_of_many_clients_are_spread(self):
        clients = [wsraw.WebSocket(self.gateway.address(), "/echo") for _ in range(20)]
        try:
            first = []
            began = time.monotonic()
            while len(first) < 20 and time.monotonic() - began < 4:
                for client in clients:
                    if client in first:
                        continue
                    client.connection.socket.settimeout(0.005)
                    try:
                        client.connection.kept or client.connection._more()
                    except TimeoutError:
                        continue
                    client.connection.socket.settimeout(5)
                    _, opcode, payload = client.read_frame()
                    self.assertEqual(opcode, wsraw.PING)
                    client.at = time.monotonic() - began
                    first.append(client)
                    client.send(wsraw.PONG, payload)
            self.assertEqual(len(first), 20)
            times = [client.at for client in first]
            self.assertGreater(max(times) - min(times), 0.1, times)
        finally:
            for client in clients:
                client.close()


if __name__ == "__main__":
    unittest.main()
