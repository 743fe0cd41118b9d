"""Settings that no other file is about: each does what it says."""

import json
import time
import unittest

from support import cases, gateway, httpraw, names, wsraw

KEPT = {"namespaces": [{"name": "kept", "history_size": 1000, "history_ttl": "10m"}]}


class Channels(unittest.TestCase):
    """Rows of `channel` and of `http_api`."""

    def test_max_length_bounds_the_name_of_a_channel(self):
        with gateway.Gateway(gateway.settings(("channel.max_length", 10))) as under_test:
            with under_test.api() as api:
                self.assertEqual(api.publish("x" * 10, 1), {})
                self.assertEqual(api.call("publish", {"channel": "x" * 11, "data": 1})
                                 .error["code"], 107)

    def test_idempotency_keys_limit_lets_the_oldest_go(self):
        config = gateway.settings(("channel.idempotency_keys_limit", 2), channel=KEPT)
        with gateway.Gateway(config) as under_test, under_test.api() as api:
            for key in ("a", "b", "c"):
                api.publish("kept:x", key, idempotency_key=key)
            self.assertEqual(api.publish("kept:x", "c", idempotency_key="c")["offset"], 3)
            self.assertEqual(api.publish("kept:x", "a", idempotency_key="a")["offset"], 4)

    def test_history_meta_ttl_lets_go_of_the_position(self):
        config = gateway.settings(
            ("channel.history_meta_ttl", "720h"),
            channel={"namespaces": [{"name": "brief", "history_size": 10, "history_ttl": "1s",
                                     "history_meta_ttl": "2s"}]})
        with gateway.Gateway(config) as under_test, under_test.api() as api:
            first = api.publish("brief:x", 1)
            time.sleep(3.5)
            second = api.publish("brief:x", 2)
            self.assertEqual(second["offset"], 1)
            self.assertNotEqual(first["epoch"], second["epoch"])

    def test_batch_limit_bounds_commands_and_channels(self):
        with gateway.Gateway(gateway.settings(("http_api.batch_limit", 3))) as under_test:
            with under_test.api() as api:
                command = {"publish": {"channel": "x", "data": 1}}
                answer = api.call("batch", {"commands": [command] * 3})
                self.assertEqual(len(answer.json()["replies"]), 3)
                answer = api.call("batch", {"commands": [command] * 4})
                self.assertTrue(answer.status in (400, 413) or "error" in answer.json(), answer)
                answer = api.call("broadcast", {"channels": ["a", "b", "c", "d"], "data": 1})
                self.assertTrue(answer.status in (400, 413) or "error" in answer.json(), answer)

    def test_recovery_past_its_limit_is_no_recovery(self):
        config = gateway.settings(("client.recovery_max_publication_limit", 5), channel=KEPT)
        with gateway.Gateway(config) as under_test, under_test.api() as api:
            for i in range(20):
                epoch = api.publish("kept:x", i)["epoch"]
            for offset, wanted in ((15, True), (14, False)):
                with wsraw.WebSocket(under_test.address(),
                                     f"/channels/kept:x?format=json&since={epoch}:{offset}") as ws:
                    self.assertIs(json.loads(ws.read_message()[1])["recovered"], wanted)

    def test_a_full_mailbox_drops_with_a_count_and_history_heals(self):
        config = gateway.settings(("worker.mailbox_max_size", "64KiB"),
                                  (names.QUEUE_MAX, "64MiB"), workers=1, channel=KEPT)
        with gateway.Gateway(config) as under_test, under_test.api() as api:
            with wsraw.WebSocket(under_test.address(),
                                 "/channels/kept:x?format=json&history=1000") as ws:
                ws.read_message()
                data = "x" * 2000
                for start in range(0, 800, 200):
                    api.call("batch", {"commands": [
                        {"publish": {"channel": "kept:x", "data": {"n": i, "x": data}}}
                        for i in range(start, start + 200)]})
                    time.sleep(0.05)
                offsets = []
                while not offsets or offsets[-1] < 800:
                    value = json.loads(ws.read_message()[1])
                    if "data" in value:
                        offsets.append(value["offset"])
                self.assertEqual(offsets, list(range(1, 801)))
            self.assertGreater(under_test.metrics().value(names.DROPS, policy="mailbox"), 0)


class Routes(unittest.TestCase):
    """Rows of `routes` and of `sse`."""

    def test_index_is_the_file_of_a_folder(self):
        config = gateway.settings(routes=[
            {"path": "/*", "kind": "files", "root": "site", "index": "start.html"}])
        under_test = gateway.Gateway(config)
        (under_test.folder / "site").mkdir()
        (under_test.folder / "site" / "start.html").write_text("here\n", encoding="utf-8")
        with under_test:
            self.assertEqual(under_test.get("/").body, b"here\n")

    def test_host_chooses_among_routes_of_one_path(self):
        config = gateway.settings(routes=[
            {"path": "/a", "host": "one.example", "kind": "echo"},
            {"path": "/a", "kind": "files", "root": "."}])
        with gateway.Gateway(config) as under_test:
            head = httpraw.head_of("GET", "/a", wsraw.upgrade_headers(), host="one.example:8000")
            with httpraw.Connection(under_test.address()) as connection:
                connection.send(head)
                self.assertEqual(connection.read_head()[0], 101)
            head = httpraw.head_of("GET", "/a", wsraw.upgrade_headers(), host="two.example")
            with httpraw.Connection(under_test.address()) as connection:
                connection.send(head)
                self.assertIn(connection.read_head()[0], (400, 404))

    def test_retry_is_told_to_readers_of_the_stream(self):
        with gateway.Gateway(gateway.settings(("sse.retry", "250ms"))) as under_test:
            with httpraw.Connection(under_test.address()) as connection:
                connection.send(httpraw.head_of("GET", "/channels/x",
                                                [("Accept", "text/event-stream")]))
                self.assertEqual(connection.read_head()[0], 200)
                connection.read_until(b"retry: 250\n")


class Process(unittest.TestCase):
    """Rows of `log`, `listeners` and `shutdown`."""

    def test_rate_limit_bounds_the_lines_a_peer_can_cause(self):
        with gateway.Gateway(gateway.settings(("log.rate_limit", 2))) as under_test:
            mark = len(under_test.lines)
            for _ in range(200):
                httpraw.exchange(under_test.address(), b"NONSENSE\r\n\r\n")
            time.sleep(0.3)
            self.assertLess(len(under_test.lines) - mark, 100)

    def test_a_small_backlog_still_serves(self):
        config = gateway.settings(listeners=[
            {"name": "main", "address": "127.0.0.1", "port": 0, "backlog": 1,
             "serves": ["public", "internal"]}])
        with gateway.Gateway(config) as under_test:
            for _ in range(20):
                self.assertEqual(under_test.get("/livez").status, 200)

    def test_delay_keeps_accepting_while_it_is_not_ready(self):
        config = gateway.settings(("shutdown.delay", "2s"))
        with gateway.Gateway(config) as under_test:
            under_test.signal(15)
            time.sleep(0.5)
            cases.assert_refusal(self, under_test.get("/readyz"), 503)
            with wsraw.WebSocket(under_test.address(), "/echo") as ws:
                ws.send(wsraw.TEXT, b"still open")
                self.assertEqual(ws.read_message(), (wsraw.TEXT, b"still open"))
                self.assertEqual(ws.read_close(), names.CLOSE_SHUTDOWN)
                ws.send(wsraw.CLOSE, wsraw.close_payload(3001))
            self.assertEqual(under_test.wait(), 0)
            under_test.kill()


if __name__ == "__main__":
    unittest.main()
