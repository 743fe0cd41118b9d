"""What an operator sees and does: metrics, health, signals, reload, logs."""

import json
import re
import signal
import subprocess
import time
import unittest

from support import cases, gateway, httpraw, metrics, names, wsraw


class Metrics(cases.GatewayCase):
    """/metrics, /livez and /readyz of a running gateway."""

    config = gateway.settings(workers=2, channel={
        "namespaces": [{"name": "kept", "history_size": 5, "history_ttl": "10m"}]})

    def test_the_page_is_in_prometheus_format(self):
        response = self.gateway.get("/metrics")
        self.assertTrue(response.header("content-type").startswith("text/plain"), response.headers)
        parsed = metrics.parse(response.body.decode())
        for name in parsed.types:
            self.assertTrue(name.startswith(names.PREFIX), name)
            self.assertTrue(parsed.helps.get(name), f"{name} has no help")
            if parsed.types[name] == "counter":
                self.assertTrue(name.endswith("_total"), name)

    def test_what_an_operator_needs_is_there(self):
        parsed = self.gateway.metrics()
        for name in names.EXPECTED_METRICS:
            self.assertTrue(parsed.has(name), name)

    def test_histograms_add_up(self):
        with wsraw.WebSocket(self.gateway.address(), "/channels/kept:h?format=json") as ws:
            ws.read_message()
            with self.gateway.api() as api:
                for i in range(20):
                    api.publish("kept:h", i)
            for _ in range(20):
                ws.read_message()
        parsed = self.gateway.metrics()
        for name in (names.PUBLISH_LAG, names.TURN_TIME):
            metrics.check_histogram(parsed, name)
        self.assertGreaterEqual(parsed.value(names.PUBLISH_LAG + "_count"), 20)

    def test_counters_never_go_back(self):
        before = self.gateway.metrics()
        self.gateway.get("/no/such")
        after = self.gateway.metrics()
        for name, labels, value in before.samples:
            family = before.family(name)
            if before.types[family] in ("counter", "histogram"):
                self.assertGreaterEqual(after.value(name, **labels), value, (name, labels))

    def test_gauges_come_back_to_zero(self):
        with wsraw.WebSocket(self.gateway.address(), "/channels/kept:g"):
            self.gateway.wait_for_metric(names.SUBSCRIPTIONS, lambda n: n >= 1)
        self.gateway.wait_for_metric(names.SUBSCRIPTIONS, lambda n: n == 0)
        self.gateway.wait_for_metric(names.CONNECTIONS, lambda n: n == 0, transport="websocket")
        self.gateway.wait_for_metric(names.QUEUE_BYTES, lambda n: n == 0)

    def test_closes_are_counted_by_reason(self):
        before = self.gateway.metrics().value(names.CLOSES)
        with wsraw.WebSocket(self.gateway.address(), "/echo") as ws:
            ws.send(wsraw.CLOSE, wsraw.close_payload(1000))
            ws.read_close()
        self.gateway.wait_for_metric(names.CLOSES, lambda n: n > before)
        for labels, _ in self.gateway.metrics().series(names.CLOSES):
            self.assertEqual(set(labels), {"reason", "code"})

    def test_workers_have_series_of_their_own(self):
        workers = {labels.get("worker") for labels, _
                   in self.gateway.metrics().series(names.MAILBOX_DEPTH)}
        self.assertEqual(len(workers), 2)

    def test_build_info_has_the_version(self):
        (labels, value), = self.gateway.metrics().series(names.BUILD_INFO)
        self.assertEqual(value, 1)
        version = gateway.run_command("version").stdout
        self.assertIn(labels["version"], version)

    def test_a_running_gateway_is_live_and_ready(self):
        for path in ("/livez", "/readyz"):
            self.assertEqual(self.gateway.get(path).status, 200)


class Shutdown(unittest.TestCase):
    """SIGTERM, SIGINT, and a second signal."""

    def start(self, **config):
        under_test = gateway.Gateway(gateway.settings(workers=2, **config)).start()
        self.addCleanup(under_test.kill)
        return under_test

    def test_clients_are_closed_with_3001_and_the_status_is_0(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number):
                under_test = self.start()
                clients = [wsraw.WebSocket(under_test.address(), "/echo") for _ in range(10)]
                under_test.signal(number)
                for client in clients:
                    self.assertEqual(client.read_close(), names.CLOSE_SHUTDOWN)
                    client.send(wsraw.CLOSE, wsraw.close_payload(3001))
                    client.close()
                self.assertEqual(under_test.wait(), 0)

    def test_what_was_queued_before_the_signal_still_arrives(self):
        under_test = self.start()
        client = wsraw.WebSocket(under_test.address(), "/channels/bye?format=json")
        client.read_message()
        with under_test.api() as api:
            for i in range(50):
                api.publish("bye", i)
        under_test.signal(signal.SIGTERM)
        got = [json.loads(client.read_message()[1])["data"] for _ in range(50)]
        self.assertEqual(got, list(range(50)))
        self.assertEqual(client.read_close(), names.CLOSE_SHUTDOWN)
        client.close()
        self.assertEqual(under_test.wait(), 0)

    def test_while_draining_it_is_not_ready_and_lets_nobody_in(self):
        under_test = self.start(shutdown={"drain_timeout": "3s"})
        clients = [wsraw.WebSocket(under_test.address(), "/echo") for _ in range(20)]
        watcher = httpraw.Connection(under_test.address())
        watcher.send(httpraw.head_of("GET", "/readyz"))
        self.assertEqual(watcher.read_response().status, 200)
        under_test.signal(signal.SIGTERM)
        try:
            time.sleep(0.05)
            watcher.send(httpraw.head_of("GET", "/readyz"))
            self.assertEqual(watcher.read_response().status, 503)
        except (ConnectionError, OSError):
            pass  # closed already: not ready either
        time.sleep(0.3)
        with self.assertRaises((OSError, AssertionError)):
            wsraw.WebSocket(under_test.address(), "/echo", timeout=2)
        for client in clients:
            client.close()
        watcher.close()
        self.assertEqual(under_test.wait(), 0)

    def test_closes_are_spread_over_the_drain_timeout(self):
        under_test = self.start(shutdown={"drain_timeout": "2s"})
        clients = [wsraw.WebSocket(under_test.address(), "/echo") for _ in range(200)]
        began = time.monotonic()
        under_test.signal(signal.SIGTERM)
        times = []
        for client in clients:
            client.connection.socket.setblocking(False)
        waiting = list(clients)
        while waiting and time.monotonic() - began < 8:
            for client in list(waiting):
                try:
                    if client.connection.socket.recv(100):
                        times.append(time.monotonic() - began)
                except BlockingIOError:
                    continue
                except OSError:
                    pass
                client.close()
                waiting.remove(client)
            time.sleep(0.005)
        self.assertEqual(len(times), 200)
        self.assertGreater(max(times) - min(times), 0.5, times)
        self.assertLess(max(times), 4, times)
        self.assertEqual(under_test.wait(), 0)

    def test_clients_that_do_not_answer_do_not_hold_it_up(self):
        under_test = self.start(shutdown={"drain_timeout": "500ms"}, client={"close_timeout": "1s"})
        clients = [wsraw.WebSocket(under_test.address(), "/echo") for _ in range(5)]
        began = time.monotonic()
        under_test.signal(signal.SIGTERM)
        self.assertEqual(under_test.wait(), 0)
        self.assertLess(time.monotonic() - began, 8)
        for client in clients:
            client.close()

    def test_event_streams_end_too(self):
        under_test = self.start()
        connection = httpraw.Connection(under_test.address())
        connection.send(httpraw.head_of("GET", "/channels/x", [("Accept", "text/event-stream")]))
        self.assertEqual(connection.read_head()[0], 200)
        under_test.signal(signal.SIGTERM)
        while connection._more():
            pass
        connection.close()
        self.assertEqual(under_test.wait(), 0)

    def test_a_second_signal_ends_at_once(self):
        under_test = self.start(shutdown={"drain_timeout": "30s"}, client={"close_timeout": "20s"})
        clients = [wsraw.WebSocket(under_test.address(), "/echo") for _ in range(20)]
        under_test.signal(signal.SIGTERM)
        time.sleep(0.5)
        self.assertTrue(under_test.is_running())
        began = time.monotonic()
        under_test.signal(signal.SIGTERM)
        under_test.wait()
        self.assertLess(time.monotonic() - began, 3)
        for client in clients:
            client.close()


class Reload(unittest.TestCase):
    """SIGHUP: a good file takes effect, a bad one changes nothing."""

    def test_a_reload_changes_routes_keys_and_origins(self):
        with gateway.Gateway(gateway.settings(workers=2)) as under_test:
            held = wsraw.WebSocket(under_test.address(), "/echo")
            self.assertEqual(httpraw.get(under_test.address(), "/echo2").status, 404)
            changed = gateway.settings(
                ("http_api.key", "new-key"), (names.ALLOWED_ORIGINS, ["https://a.example"]),
                workers=2,
                routes=gateway.BASE["routes"] + [{"path": "/echo2", "kind": "echo"}])
            under_test.write_config(changed)
            mark = len(under_test.lines)
            under_test.signal(signal.SIGHUP)
            under_test.wait_for_line(r"(?i)reload", since=mark)
            deadline = time.monotonic() + 5
            while httpraw.get(under_test.address(), "/echo2").status != 426:
                self.assertLess(time.monotonic(), deadline, "the new route did not come")
                time.sleep(0.05)
            time.sleep(0.2)
            with wsraw.WebSocket(under_test.address(), "/echo2") as ws:
                ws.send(wsraw.TEXT, b"new")
                self.assertEqual(ws.read_message(), (wsraw.TEXT, b"new"))
            with under_test.api("new-key") as api:
                self.assertEqual(api.call("info").status, 200)
            with under_test.api(names.API_KEY) as api:
                self.assertEqual(api.call("info").status, 401)
            with self.assertRaises(AssertionError):
                wsraw.WebSocket(under_test.address(), "/echo", [("Origin", "https://b.example")])
            held.send(wsraw.TEXT, b"kept")
            self.assertEqual(held.read_message(), (wsraw.TEXT, b"kept"))
            held.close()

    def test_a_bad_file_changes_nothing_and_is_told(self):
        with gateway.Gateway() as under_test:
            under_test.config_file.write_text('{"workres": 2}\n', encoding="utf-8")
            mark = len(under_test.lines)
            under_test.signal(signal.SIGHUP)
            line = under_test.wait_for_line(r"workres", since=mark)
            self.assertIn("workers", line)
            with wsraw.WebSocket(under_test.address(), "/echo") as ws:
                ws.send(wsraw.TEXT, b"hi")
                self.assertEqual(ws.read_message(), (wsraw.TEXT, b"hi"))

    def test_what_needs_a_restart_is_told(self):
        with gateway.Gateway() as under_test:
            under_test.write_config(gateway.settings(workers=3))
            mark = len(under_test.lines)
            under_test.signal(signal.SIGHUP)
            self.assertIn("workers", under_test.wait_for_line(r"restart", since=mark))
            self.assertTrue(under_test.is_running())

    def test_the_log_level_follows_a_reload(self):
        with gateway.Gateway() as under_test:
            under_test.write_config(gateway.settings(("log.level", "error")))
            under_test.signal(signal.SIGHUP)
            time.sleep(0.5)
            mark = len(under_test.lines)
            wsraw.WebSocket(under_test.address(), "/echo").close()
            time.sleep(0.5)
            self.assertEqual([line for line in under_test.lines[mark:] if "level=info" in line],
                             [])


class Logs(unittest.TestCase):
    """Lines that people and programs can read."""

    def visit(self, under_test):
        with wsraw.WebSocket(under_test.address(), "/echo") as ws:
            for _ in range(3):
                ws.send(wsraw.TEXT, b"hello")
                ws.read_message()
            ws.send(wsraw.CLOSE, wsraw.close_payload(1000))
            ws.read_close()

    def test_a_connection_leaves_one_closing_line(self):
        with gateway.Gateway() as under_test:
            mark = len(under_test.lines)
            self.visit(under_test)
            line = under_test.wait_for_line(r"messages_in=3", since=mark)
            fields = gateway.parse_fields(line)
            self.assertIn("reason", fields)
            numbers = [key for key, value in fields.items() if re.fullmatch(r"\d+", value)]
            self.assertGreaterEqual(len(numbers), 5, fields)  # age, bytes and messages each way
            time.sleep(0.3)
            closing = [entry for entry in under_test.lines[mark:]
                       if fields["peer"] in entry]
            self.assertEqual(len(closing), 1, closing)

    def test_json_lines_are_json(self):
        config = gateway.settings(("log.format", "json"))
        under_test = gateway.Gateway(config).start(wait=False)
        self.addCleanup(under_test.kill)
        line = under_test.wait_for_line(r'"listening"')
        value = json.loads(line)
        self.assertGreater(value["port"], 0)
        under_test.ports["main"] = value["port"]
        mark = len(under_test.lines)
        self.visit(under_test)
        under_test.wait_for_line(r'"reason"', since=mark)
        under_test.signal(signal.SIGTERM)
        self.assertEqual(under_test.wait(), 0)
        for line in under_test.lines:
            entry = json.loads(line)
            self.assertIn("level", entry)
            self.assertIn("msg", entry)

    def test_what_a_peer_sends_cannot_forge_a_line(self):
        with gateway.Gateway(gateway.settings(("log.level", "debug"))) as under_test:
            mark = len(under_test.lines)
            httpraw.get(under_test.address(), "/x%0Alevel=error%20msg=forged")
            httpraw.exchange(under_test.address(), b"GET /\x1b[2Jforged HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(0.3)
            for line in under_test.lines[mark:]:
                self.assertFalse(line.startswith("level=error msg=forged"), line)
                self.assertNotIn("\x1b", line)

    def test_a_flood_of_refusals_does_not_flood_the_log(self):
        with gateway.Gateway() as under_test:
            mark = len(under_test.lines)
            for _ in range(400):
                httpraw.exchange(under_test.address(), b"NONSENSE\r\n\r\n")
            time.sleep(0.5)
            self.assertLess(len(under_test.lines) - mark, 300)

    def test_the_key_is_never_logged(self):
        config = gateway.settings(("log.level", "debug"), ("http_api.key", "very-secret-key"))
        with gateway.Gateway(config) as under_test:
            httpraw.request(under_test.address(), "POST", "/api/info?api_key=very-secret-key",
                            [("X-API-Key", "very-secret-key")], b"{}")
            httpraw.request(under_test.address(), "POST", "/nowhere?api_key=very-secret-key",
                            [("X-API-Key", "very-secret-key")], b"{}")
            time.sleep(0.3)
            self.assertNotIn("very-secret-key", "\n".join(under_test.lines))


class Workers(unittest.TestCase):
    """How many threads there are."""

    def threads(self, under_test):
        with open(f"/proc/{under_test.pid}/status", encoding="ascii") as status:
            return int(re.search(r"Threads:\s+(\d+)", status.read()).group(1))

    def workers(self, under_test):
        return len(under_test.metrics().series(names.MAILBOX_DEPTH))

    def test_zero_means_the_processors_this_process_may_use(self):
        with gateway.Gateway(gateway.settings(workers=0)) as under_test:
            all_of_them = self.workers(under_test)
        self.assertGreaterEqual(all_of_them, 1)
        pinned = gateway.Gateway(gateway.settings(workers=0))
        original = gateway.BINARY
        try:
            pinned.write_config(pinned.config)
            probe = subprocess.run(["taskset", "-c", "0", original, "version"], check=False,
                                   stdout=subprocess.PIPE, env=gateway.sanitizer_environment())
            if probe.returncode != 0:
                self.skipTest("no taskset")
            wrapper = pinned.folder / "pinned"
            wrapper.write_text(f'#!/bin/sh\nexec taskset -c 0 "{original}" "$@"\n',
                               encoding="utf-8")
            wrapper.chmod(0o755)
            gateway.BINARY = str(wrapper)
            with pinned:
                self.assertEqual(self.workers(pinned), 1)
        finally:
            gateway.BINARY = original
            pinned.kill()

    def test_as_many_as_configured(self):
        with gateway.Gateway(gateway.settings(workers=3)) as under_test:
            self.assertEqual(self.workers(under_test), 3)
            self.assertGreaterEqual(self.threads(under_test), 3)


if __name__ == "__main__":
    unittest.main()
