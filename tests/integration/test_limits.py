"""Slow readers, and every limit a peer can run into: each is refused clearly, counted, and not
felt by others."""

import json
import socket
import time
import unittest

from support import cases, gateway, httpraw, names, wsraw

QUEUE = 64 * 1024
MESSAGE = "x" * 1000
ROUNDS = 6000  # 6 MB: far past any socket buffer of the reader and the queue together


def slow_config(policy):
    return gateway.settings(
        (names.QUEUE_MAX, "64KiB"),
        channel={"namespaces": [
            {"name": "fast", "history_size": 10, "history_ttl": "10m"}]},
        routes=[{"path": "/channels/{channel}", "kind": "channel", "channel": "{channel}",
                 "queue_policy": policy}])


def open_slow(address, path):
    """A WebSocket whose reader takes little: a small receive buffer, set before it connects."""
    connection = httpraw.Connection.__new__(httpraw.Connection)
    connection.kept = b""
    connection.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.socket.settimeout(httpraw.TIMEOUT)
    connection.socket.connect(address)
    connection.send(httpraw.head_of("GET", path, wsraw.upgrade_headers()))
    status, _, headers = connection.read_head()
    assert status == 101, headers
    ws = wsraw.WebSocket.__new__(wsraw.WebSocket)
    ws.connection = connection
    return ws


class SlowReader(cases.GatewayCase):
    """Helpers for the three policies."""

    policy = "disconnect"

    @classmethod
    def make_config(cls):
        return slow_config(cls.policy)

    def flood(self, channels, rounds=ROUNDS):
        """Publishes numbered messages to each channel in turn."""
        with self.gateway.api() as api:
            for start in range(0, rounds, 200):
                commands = [{"publish": {"channel": channel, "data": {"n": i, "x": MESSAGE}}}
                            for i in range(start, min(start + 200, rounds))
                            for channel in channels]
                replies = api.call("batch", {"commands": commands}).json()["replies"]
                assert all("publish" in reply for reply in replies), replies[:3]

    def read_rest(self, ws, until):
        """Messages as (offset, data) and the gaps, until number `until` or the close."""
        messages, gaps, code = [], [], None
        while until is not None or len(messages) + sum(gaps) < ROUNDS:
            _, opcode, payload = ws.read_frame()
            if opcode == wsraw.CLOSE:
                code = int.from_bytes(payload[:2], "big")
                break
            if opcode == wsraw.PING:
                continue
            value = json.loads(payload)
            if "gap" in value:
                gaps.append(value["gap"]["dropped"])
            elif "data" in value:
                messages.append((value["offset"], value["data"]["n"]))
                if value["data"]["n"] == until:
                    until = None  # a gap is told when the queue is empty: perhaps after this
        return messages, gaps, code


class Disconnect(SlowReader):
    """The default: a reader that is too slow is closed with 3008."""

    policy = "disconnect"

    def test_a_slow_reader_is_closed_with_3008_and_a_fast_one_is_not(self):
        slow = open_slow(self.gateway.address(), "/channels/fast:d?format=json")
        self.addCleanup(slow.close)
        before = self.gateway.metrics()
        with wsraw.WebSocket(self.gateway.address(), "/channels/quiet?format=json") as other:
            self.flood(["fast:d"])
            _, _, code = self.read_rest(slow, ROUNDS - 1)
            self.assertEqual(code, names.CLOSE_SLOW)
            with self.gateway.api() as api:
                api.publish("quiet", {"n": 1})
            first = json.loads(other.read_message()[1])
            self.assertIn("recovered", first)
            self.assertEqual(json.loads(other.read_message()[1])["data"], {"n": 1})
            slow.close()
        before = before.value(names.CLOSES, reason="slow")
        self.gateway.wait_for_metric(names.CLOSES, lambda n: n == before + 1, reason="slow")

    def test_what_waits_for_a_slow_reader_stays_within_its_limit(self):
        slow = open_slow(self.gateway.address(), "/channels/fast:q?format=json")
        self.addCleanup(slow.close)
        self.flood(["fast:q"], 3000)
        self.assertLessEqual(self.gateway.metrics().value(names.QUEUE_BYTES), QUEUE * 2)


class DropOldest(SlowReader):
    """The oldest unsent go; what is left keeps its order; the client is told."""

    policy = "drop_oldest"

    def test_the_newest_arrive_in_order_with_the_gap_told(self):
        slow = open_slow(self.gateway.address(), "/channels/fast:o?format=json")
        self.addCleanup(slow.close)
        before = self.gateway.metrics().value(names.DROPS, policy="drop_oldest")
        self.flood(["fast:o"])
        messages, gaps, code = self.read_rest(slow, ROUNDS - 1)
        self.assertIsNone(code)
        offsets = [offset for offset, _ in messages]
        self.assertEqual(offsets, sorted(set(offsets)))
        self.assertEqual(messages[-1][1], ROUNDS - 1)
        self.assertLess(len(messages), ROUNDS)
        self.assertEqual(len(messages) + sum(gaps), ROUNDS, "each one dropped is told")
        after = self.gateway.metrics().value(names.DROPS, policy="drop_oldest")
        self.assertEqual(after - before, ROUNDS - len(messages))

    def test_pings_of_a_slow_reader_are_still_answered(self):
        slow = open_slow(self.gateway.address(), "/channels/fast:p?format=json")
        self.addCleanup(slow.close)
        self.flood(["fast:p"])
        slow.send(wsraw.PING, b"still there?")
        while True:
            _, opcode, payload = slow.read_frame()
            if opcode == wsraw.PONG:
                self.assertEqual(payload, b"still there?")
                return


class Conflate(SlowReader):
    """Only the newest unsent message of each channel is kept."""

    policy = "conflate"

    def test_the_newest_of_the_channel_arrives_soon(self):
        slow = open_slow(self.gateway.address(), "/channels/fast:c?format=json")
        self.addCleanup(slow.close)
        before = self.gateway.metrics().value(names.DROPS, policy="conflate")
        self.flood(["fast:c"])
        messages, gaps, code = self.read_rest(slow, ROUNDS - 1)
        self.assertIsNone(code)
        offsets = [offset for offset, _ in messages]
        self.assertEqual(offsets, sorted(set(offsets)))
        self.assertEqual(messages[-1][1], ROUNDS - 1)
        self.assertEqual(len(messages) + sum(gaps), ROUNDS, "each one dropped is told")
        after = self.gateway.metrics().value(names.DROPS, policy="conflate")
        self.assertEqual(after - before, ROUNDS - len(messages))

    def test_a_reader_that_keeps_up_gets_everything(self):
        with wsraw.WebSocket(self.gateway.address(), "/channels/fast:k?format=json") as ws:
            ws.read_message()
            with self.gateway.api() as api:
                for i in range(200):
                    api.publish("fast:k", {"n": i})
                    self.assertEqual(json.loads(ws.read_message()[1])["data"]["n"], i)


class Connections(cases.GatewayCase):
    """Limits on connections."""

    config = gateway.settings((names.CONNECTION_LIMIT, 10))

    def test_past_the_limit_a_connection_is_refused_with_503(self):
        kept = [wsraw.WebSocket(self.gateway.address(), "/echo") for _ in range(9)]
        try:
            self.assertEqual(self.gateway.metrics().value(names.CONNECTIONS, transport="websocket"),
                             9)
            kept.append(wsraw.WebSocket(self.gateway.address(), "/echo"))
            status = self.status()
            self.assertIn(status, (503, None))
            kept.pop().close()
            kept.pop().close()
            deadline = time.monotonic() + 5
            while self.status() != 426:
                self.assertLess(time.monotonic(), deadline, "nobody is let in again")
                time.sleep(0.05)
            self.assertGreaterEqual(
                self.gateway.metrics().value(names.REFUSED_CONNECTIONS, reason="connection_limit"),
                1)
            for ws in kept:
                ws.send(wsraw.TEXT, b"served on")
                self.assertEqual(ws.read_message(), (wsraw.TEXT, b"served on"))
        finally:
            for ws in kept:
                ws.close()

    def status(self):
        """The status of a request on a new connection; None when it was closed at once."""
        try:
            return httpraw.get(self.gateway.address(), "/echo").status
        except ConnectionError:
            return None


class Addresses(cases.GatewayCase):
    """Limits on connections of one address."""

    config = gateway.settings((names.ADDRESS_LIMIT, 5), workers=2, listeners=[
        {"name": "main", "address": "0.0.0.0", "port": 0, "serves": ["public", "internal"]}])

    def open_from(self, source):
        connection = httpraw.Connection.__new__(httpraw.Connection)
        connection.kept = b""
        connection.socket = socket.create_connection(self.gateway.address(), 10, (source, 0))
        self.addCleanup(connection.socket.close)
        connection.send(httpraw.head_of("GET", "/echo"))
        try:
            return connection.read_response().status
        except ConnectionError:
            return None

    def test_one_address_cannot_take_the_places_of_others(self):
        statuses = [self.open_from("127.0.0.2") for _ in range(8)]
        self.assertEqual(statuses[:5], [426] * 5)  # let in, and told to upgrade
        self.assertTrue(all(status in (429, 503, None) for status in statuses[5:]), statuses)
        self.assertEqual(self.open_from("127.0.0.3"), 426)
        self.assertGreaterEqual(
            self.gateway.metrics().value(names.REFUSED_CONNECTIONS, reason="address_limit"), 3)


class Channels(cases.GatewayCase):
    """A limit on channels of the process."""

    config = gateway.settings((names.MAX_CHANNELS, 5), channel={
        "namespaces": [{"name": "kept", "history_size": 5, "history_ttl": "10m"}]})

    def test_past_the_limit_new_channels_are_refused_and_others_work_on(self):
        with self.gateway.api() as api:
            answers = [api.call("publish", {"channel": f"kept:{i}", "data": i}).json()
                       for i in range(8)]
            self.assertTrue(all("result" in answer for answer in answers[:5]), answers)
            self.assertTrue(all("error" in answer for answer in answers[5:]), answers)
            with httpraw.Connection(self.gateway.address()) as connection:
                connection.send(httpraw.head_of("GET", "/channels/kept:new",
                                                wsraw.upgrade_headers()))
                status, _, _ = connection.read_head()
                if status == 101:  # told by a close instead
                    ws = wsraw.WebSocket.__new__(wsraw.WebSocket)
                    ws.connection = connection
                    self.assertIsNotNone(ws.read_close())
                else:
                    self.assertIn(status, (429, 503))
            self.assertEqual(api.publish("kept:0", "again")["offset"], 2)
        self.assertGreaterEqual(
            self.gateway.metrics().value(names.LIMIT_REFUSALS, limit="channels"), 3)


class Descriptors(cases.GatewayCase):
    """Out of file descriptors: accepting pauses and resumes, others are served on."""

    config = gateway.settings(workers=1)
    options = {"nofile": 64}

    def test_accepting_pauses_and_resumes_while_others_are_served(self):
        held = wsraw.WebSocket(self.gateway.address(), "/echo")
        self.addCleanup(held.close)
        crowd = []
        for _ in range(100):
            connection = socket.socket()
            connection.settimeout(5)
            connection.connect(self.gateway.address())
            crowd.append(connection)
        for i in range(20):
            held.send(wsraw.TEXT, b"%d" % i)
            self.assertEqual(held.read_message(), (wsraw.TEXT, b"%d" % i))
        time.sleep(0.5)
        self.assertTrue(self.gateway.is_running())
        for connection in crowd:
            connection.close()
        deadline = time.monotonic() + 10
        while True:
            try:
                if httpraw.get(self.gateway.address(), "/livez", timeout=2).status == 200:
                    break
            except OSError:
                pass
            self.assertLess(time.monotonic(), deadline, "accepting did not resume")
        self.assertGreaterEqual(self.gateway.metrics().value(names.ACCEPT_PAUSED), 1)

    def test_being_out_of_descriptors_does_not_burn_the_processor(self):
        crowd = []
        for _ in range(100):
            connection = socket.socket()
            connection.settimeout(5)
            connection.connect(self.gateway.address())
            crowd.append(connection)
        time.sleep(0.3)
        before = self.cpu_seconds()
        time.sleep(1.0)
        used = self.cpu_seconds() - before
        for connection in crowd:
            connection.close()
        self.assertLess(used, 0.5)

    def cpu_seconds(self):
        with open(f"/proc/{self.gateway.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100


del SlowReader  # only its subclasses are tests

if __name__ == "__main__":
    unittest.main()
