"""What one peer, or many, may do to a gateway, and what stops them: each limit is reached, the refusal
is read, the metric is counted, and somebody else is served meanwhile."""

import json
import select
import socket
import time
import unittest

from support import gateway, httpraw, names, wsraw

ECHO = {"path": "/echo", "kind": "echo", "visible_refusals": False}
SEEN = {"path": "/seen", "kind": "echo", "visible_refusals": True}


def started(*pairs, **config):
    return gateway.Gateway(gateway.settings(*pairs, routes=[ECHO, SEEN], **config))


class OneConnection(unittest.TestCase):
    """Limits on what one connection sends, and how long it stays."""

    def closed_with(self, pairs, act, limit, code):
        with started(*pairs) as under_test:
            with wsraw.WebSocket(under_test.address(), "/echo") as other, \
                    wsraw.WebSocket(under_test.address(), "/echo") as guilty:
                act(guilty)
                self.assertEqual(guilty.read_close(), code)
                other.send(wsraw.TEXT, b"still here")
                self.assertEqual(other.read_message(), (wsraw.TEXT, b"still here"))
            if limit is not None:
                under_test.wait_for_metric(names.LIMIT_REFUSALS, lambda n: n >= 1, limit=limit)

    def test_too_many_messages_in_a_second_close_with_3013(self):
        def flood(ws):
            for _ in range(500):
                ws.send(wsraw.TEXT, b"x")
        self.closed_with([("client.messages_per_second", 100)], flood, "messages_per_second", 3013)

    def test_too_many_bytes_in_a_second_close_with_3013(self):
        def flood(ws):
            for _ in range(40):
                ws.send(wsraw.BINARY, b"x" * 30000)
        self.closed_with([("client.bytes_per_second", "256KiB")], flood, "bytes_per_second", 3013)

    def test_too_many_pings_in_a_second_close_with_3013(self):
        def flood(ws):
            for _ in range(200):
                ws.send(wsraw.PING, b"x")
        self.closed_with([("client.pings_per_second", 10)], flood, "pings_per_second", 3013)

    def test_too_many_fragments_close_with_1008(self):
        def flood(ws):
            ws.send(wsraw.TEXT, b"", fin=False)
            for _ in range(20):
                ws.send(wsraw.CONTINUATION, b"", fin=False)
        self.closed_with([("websocket.fragments_limit", 10)], flood, "fragments", 1008)

    def test_a_message_that_takes_too_long_closes_with_1008(self):
        def drip(ws):
            frame = wsraw.frame(wsraw.TEXT, b"x" * 100)
            for i in range(40):
                ws.connection.send(frame[i:i + 1])
                if select.select([ws.connection.socket], [], [], 0.05)[0]:
                    return
        self.closed_with([("websocket.message_timeout", "500ms")], drip, "message_time", 1008)

    def test_messages_one_after_the_other_may_take_longer_than_one(self):
        with started(("websocket.message_timeout", "300ms")) as under_test, \
                wsraw.WebSocket(under_test.address(), "/echo") as ws:
            frame = wsraw.frame(wsraw.TEXT, b"slow")
            ws.connection.send(frame[:3])
            for _ in range(8):
                time.sleep(0.1)
                ws.connection.send(frame[3:] + frame[:3])
                self.assertEqual(ws.read_message(), (wsraw.TEXT, b"slow"))

    def test_a_connection_is_told_to_come_back_after_its_lifetime(self):
        with started(("client.connection_lifetime", "1s")) as under_test:
            began = time.monotonic()
            with wsraw.WebSocket(under_test.address(), "/echo") as ws:
                self.assertEqual(ws.read_close(), 3011)
            self.assertLess(0.8, time.monotonic() - began)


class ManyConnections(unittest.TestCase):
    """Limits on who comes, and how fast."""

    def test_more_newcomers_in_a_second_than_allowed_are_told_503_and_when_to_come_back(self):
        with started(("client.connection_rate_limit", 5)) as under_test:
            answers = [httpraw.get(under_test.address(), "/echo") for _ in range(40)]
            refused = [answer for answer in answers if answer.status == 503]
            self.assertGreater(len(refused), 10)
            waits = {int(answer.header("retry-after")) for answer in refused}
            self.assertGreater(len(waits), 1, "everybody is told to come back at once")
            self.assertTrue(all(1 <= wait <= 10 for wait in waits))
            time.sleep(1.1)
            self.assertEqual(httpraw.get(under_test.address(), "/echo").status, 426)
            self.assertGreater(
                under_test.metrics().value(names.REFUSED_CONNECTIONS, reason="rate"), 10)

    def test_one_address_that_comes_too_fast_is_told_429_and_others_come_in(self):
        with started(("client.connection_rate_per_address", 5)) as under_test:
            statuses = [httpraw.get(under_test.address(), "/echo").status for _ in range(40)]
            self.assertIn(429, statuses)
            with socket.create_connection(under_test.address(), 5, ("127.0.0.9", 0)) as other:
                other.sendall(httpraw.head_of("GET", "/echo"))
                self.assertIn(b" 426 ", other.recv(200))

    def test_health_and_metrics_are_seen_while_newcomers_are_refused(self):
        with started(("client.connection_limit", 1)) as under_test, \
                wsraw.WebSocket(under_test.address(), "/echo"):
            self.assertEqual(httpraw.get(under_test.address(), "/echo").status, 503)
            self.assertEqual(httpraw.get(under_test.address(), "/livez").status, 200)
            self.assertEqual(httpraw.get(under_test.address(), "/metrics").status, 200)

    def test_past_the_memory_watermark_newcomers_are_refused_and_readyz_says_so(self):
        with started(("client.memory_watermark", "1MiB")) as under_test:
            deadline = time.monotonic() + 10
            while httpraw.get(under_test.address(), "/readyz").status == 200:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.05)
            answer = httpraw.get(under_test.address(), "/readyz")
            self.assertEqual(answer.json(), {"status": "memory"})
            self.assertEqual(httpraw.get(under_test.address(), "/echo").status, 503)

    def test_a_page_can_see_why_it_is_refused_where_the_route_says_so(self):
        with started(("client.connection_limit", 1)) as under_test, \
                wsraw.WebSocket(under_test.address(), "/echo"):
            with wsraw.WebSocket(under_test.address(), "/seen") as refused:
                _, opcode, payload = refused.read_frame()
                self.assertEqual(opcode, wsraw.CLOSE)
                self.assertEqual(payload, wsraw.close_payload(1013, b"too many connections"))
            with self.assertRaises(AssertionError):
                wsraw.WebSocket(under_test.address(), "/echo")

    def test_a_refused_origin_is_never_let_in_to_be_told(self):
        with started(("client.connection_limit", 1),
                     ("client.allowed_origins", ["https://good.example"])) as under_test, \
                wsraw.WebSocket(under_test.address(), "/echo"):
            with self.assertRaises(AssertionError):
                wsraw.WebSocket(under_test.address(), "/seen", [("Origin", "https://bad.example")])

    def test_a_thousand_peers_that_send_a_byte_a_second_do_not_hurt_the_others(self):
        with started(("http.head_timeout", "2s"), workers=2) as under_test:
            head = httpraw.head_of("GET", "/echo")
            slow = [socket.create_connection(under_test.address()) for _ in range(1000)]
            try:
                for at in range(3):
                    for peer in slow:
                        try:
                            peer.send(head[at:at + 1])
                        except OSError:
                            pass
                    began = time.monotonic()
                    with wsraw.WebSocket(under_test.address(), "/echo") as ws:
                        ws.send(wsraw.TEXT, b"quick")
                        self.assertEqual(ws.read_message(), (wsraw.TEXT, b"quick"))
                    self.assertLess(time.monotonic() - began, 1.0)
                    time.sleep(1)
                under_test.wait_for_metric(names.CONNECTIONS, lambda n: n <= 1, transport="all")
            finally:
                for peer in slow:
                    peer.close()


class History(unittest.TestCase):
    """What histories may hold together."""

    def test_past_the_size_of_all_histories_a_channel_keeps_fewer_of_its_own(self):
        kept = {"namespaces": [{"name": "kept", "history_size": 1000, "history_ttl": "60s"}]}
        with started(("channel.history_max_size", "64KiB"), channel=kept) as under_test, \
                under_test.api() as api:
            for i in range(100):
                last = api.publish("kept:a", {"n": i, "x": "x" * 2000})
            history = api.call("history", {"channel": "kept:a", "limit": -1}).result
            self.assertEqual(history["offset"], last["offset"])
            self.assertTrue(1 < len(history["publications"]) <= 32)
            self.assertEqual(history["publications"][-1]["data"]["n"], 99)
            self.assertGreater(
                under_test.metrics().value(names.LIMIT_REFUSALS, limit="history_size"), 50)


if __name__ == "__main__":
    unittest.main()
