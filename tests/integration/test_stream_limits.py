"""What one stream may send and how long it may stay, and permessage-deflate with its bounds."""

import asyncio
import json
import time
import unittest
import zlib

import websockets

from support import gateway, httpraw, names, wsraw

TOO_MANY = 3013
FORCE_RECONNECT = 3011
DEFLATE = [("Sec-WebSocket-Extensions", "permessage-deflate")]


def deflated(data):
    """A message as RFC 7692 §7.2.1 sends it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


def inflated(data):
    return zlib.decompressobj(-15).decompress(data + b"\x00\x00\xff\xff")


class Limits(unittest.TestCase):
    """Rows of `client` and `websocket` that bound a stream."""

    def close_after(self, setting, frames, limit):
        """The close code after the frames, each in a packet of its own; the limit counts it."""
        with gateway.Gateway(gateway.settings(setting)) as under_test:
            with wsraw.WebSocket(under_test.address(), "/echo") as ws:
                for frame in frames:
                    try:
                        ws.connection.send(frame)
                    except OSError:
                        break
                code = ws.read_close()
            under_test.wait_for_metric(names.LIMIT_REFUSALS, lambda n: n >= 1, limit=limit)
            with wsraw.WebSocket(under_test.address(), "/echo") as ws:
                ws.send(wsraw.TEXT, b"another is served")
                self.assertEqual(ws.read_message()[1], b"another is served")
            return code

    def test_messages_per_second_closes_with_3013(self):
        frames = [wsraw.frame(wsraw.TEXT, b"x")] * 50
        self.assertEqual(self.close_after(("client.messages_per_second", 10), frames,
                                          "messages_per_second"), TOO_MANY)

    def test_bytes_per_second_closes_with_3013(self):
        frames = [wsraw.frame(wsraw.BINARY, b"x" * 1000)] * 50
        self.assertEqual(self.close_after(("client.bytes_per_second", "10KB"), frames,
                                          "bytes_per_second"), TOO_MANY)

    def test_pings_per_second_closes_with_3013(self):
        frames = [wsraw.frame(wsraw.PING, b"x")] * 50
        self.assertEqual(self.close_after(("client.pings_per_second", 5), frames,
                                          "pings_per_second"), TOO_MANY)

    def test_fragments_limit_closes_with_1008(self):
        frames = [wsraw.frame(wsraw.TEXT, b"x", fin=False)] \
            + [wsraw.frame(wsraw.CONTINUATION, b"x", fin=False)] * 20
        self.assertEqual(self.close_after(("websocket.fragments_limit", 8), frames, "fragments"),
                         1008)

    def test_message_timeout_closes_with_1008(self):
        config = gateway.settings(("websocket.message_timeout", "300ms"))
        with gateway.Gateway(config) as under_test:
            with wsraw.WebSocket(under_test.address(), "/echo") as ws:
                began = time.monotonic()
                ws.send(wsraw.TEXT, b"x", fin=False)
                ws.connection.socket.settimeout(0.1)
                while time.monotonic() - began < 5:
                    try:
                        code = ws.read_close()
                        break
                    except TimeoutError:
                        ws.send(wsraw.CONTINUATION, b"x", fin=False)
                self.assertEqual(code, 1008)
                self.assertGreaterEqual(time.monotonic() - began, 0.25)

    def test_connection_lifetime_sends_streams_away_with_3011(self):
        config = gateway.settings(("client.connection_lifetime", "1s"))
        with gateway.Gateway(config) as under_test:
            with wsraw.WebSocket(under_test.address(), "/channels/x") as ws:
                began = time.monotonic()
                self.assertEqual(ws.read_close(), FORCE_RECONNECT)
                self.assertTrue(0.8 < time.monotonic() - began < 4)


class Compression(unittest.TestCase):
    """permessage-deflate (RFC 7692)."""

    def echo(self, *settings):
        async def talk(url):
            async with websockets.connect(url, max_size=None) as ws:
                self.assertTrue(ws.extensions, "not negotiated")
                for message in ("short", "long, repetitive " * 500, b"\x00" * 5000, "",
                                "ü" * 999):
                    await ws.send(message)
                    self.assertEqual(await ws.recv(), message)
        with gateway.Gateway(gateway.settings(*settings)) as under_test:
            asyncio.run(talk(under_test.ws("/echo")))

    def test_no_context_is_kept_where_messages_may_be_dropped(self):
        async def is_kept(url):
            async with websockets.connect(url) as ws:
                return not ws.extensions[0].remote_no_context_takeover
        for policy in ("disconnect", "drop_oldest", "conflate"):
            config = gateway.settings(
                ("websocket.compression_context_takeover", True),
                routes=[{"path": "/c/{channel}", "kind": "channel", "channel": "{channel}",
                         "queue_policy": policy}])
            with gateway.Gateway(config) as under_test:
                self.assertEqual(asyncio.run(is_kept(under_test.ws("/c/x"))),
                                 policy == "disconnect", policy)

    def test_messages_come_back_with_each_choice_of_settings(self):
        self.echo()
        self.echo(("websocket.compression_context_takeover", True))
        self.echo(("websocket.compression_level", 9), ("websocket.compression_min_size", 0))

    def test_a_publication_of_some_size_is_compressed_and_a_small_one_is_not(self):
        config = gateway.settings(("websocket.compression_min_size", "200B"))
        with gateway.Gateway(config) as under_test, under_test.api() as api:
            with wsraw.WebSocket(under_test.address(), "/channels/x", DEFLATE) as ws:
                self.assertIn("permessage-deflate", ws.headers["sec-websocket-extensions"])
                under_test.wait_for_metric(names.SUBSCRIPTIONS, lambda n: n == 1)
                api.publish("x", "small")
                self.assertEqual(ws.read_message(), (wsraw.TEXT, b'"small"'))
                api.publish("x", "z" * 3000)
                first, second = ws.connection.read_exactly(2)
                self.assertEqual(first & 0x40, 0x40, "not compressed")
                self.assertLess(second, 126)
                data = inflated(ws.connection.read_exactly(second))
                self.assertEqual(json.loads(data), "z" * 3000)

    def test_switched_off_it_is_not_accepted(self):
        with gateway.Gateway(gateway.settings(("websocket.compression", False))) as under_test:
            with wsraw.WebSocket(under_test.address(), "/echo", DEFLATE) as ws:
                self.assertNotIn("sec-websocket-extensions", ws.headers)
                ws.send(wsraw.TEXT, deflated(b"x"), reserved=4)
                self.assertEqual(ws.read_close(), 1002)

    def test_a_message_that_inflates_past_the_limit_closes_with_1009(self):
        with gateway.Gateway(gateway.settings((names.MESSAGE_SIZE, "64KiB"))) as under_test:
            with wsraw.WebSocket(under_test.address(), "/echo", DEFLATE) as ws:
                ws.send(wsraw.BINARY, deflated(b"\0" * 10_000_000), reserved=4)
                self.assertEqual(ws.read_close(), 1009)

    def test_a_message_that_inflates_past_the_ratio_is_refused(self):
        config = gateway.settings((names.MESSAGE_SIZE, "64MiB"),
                                  ("websocket.compression_ratio_limit", 20))
        with gateway.Gateway(config) as under_test:
            with wsraw.WebSocket(under_test.address(), "/echo", DEFLATE) as ws:
                ws.send(wsraw.BINARY, deflated(b"\0" * 20_000_000), reserved=4)
                self.assertIn(ws.read_close(), (1008, 1009))

    def test_what_is_no_deflate_stream_is_refused(self):
        with gateway.Gateway() as under_test:
            for payload in (b"\xff\xff\xff\xff", b"\x07garbage"):
                with wsraw.WebSocket(under_test.address(), "/echo", DEFLATE) as ws:
                    ws.send(wsraw.BINARY, payload, reserved=4)
                    self.assertIn(ws.read_close(), (1002, 1007))

    def test_compressed_text_that_is_not_utf_8_closes_with_1007(self):
        with gateway.Gateway() as under_test:
            with wsraw.WebSocket(under_test.address(), "/echo", DEFLATE) as ws:
                ws.send(wsraw.TEXT, deflated(b"abc\xff" * 100), reserved=4)
                self.assertEqual(ws.read_close(), 1007)

    def test_offers_that_make_no_sense_are_declined_or_refused(self):
        with gateway.Gateway() as under_test:
            for offer in ("permessage-deflate; server_max_window_bits=99",
                          "permessage-deflate; nonsense",
                          "permessage-deflate; client_no_context_takeover; "
                          "client_no_context_takeover", "x-other", "permessage-deflate=1", ";;,,"):
                with self.subTest(offer=offer):
                    with httpraw.Connection(under_test.address()) as connection:
                        connection.send(httpraw.head_of("GET", "/echo", wsraw.upgrade_headers()
                                        + [("Sec-WebSocket-Extensions", offer)]))
                        status, _, headers = connection.read_head()
                        self.assertIn(status, (101, 400))
                        self.assertNotIn("sec-websocket-extensions", dict(headers))


if __name__ == "__main__":
    unittest.main()
