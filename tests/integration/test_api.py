"""The HTTP API for services: every method, its errors, and what libraries rely on."""

import base64
import http.client
import json
import time
import unittest

from support import cases, gateway, httpraw, names

CONFIG = gateway.settings(channel={
    "namespaces": [
        {"name": "kept", "history_size": 10, "history_ttl": "10m"},
        {"name": "other", "history_size": 10, "history_ttl": "10m"},
    ]})


class ApiCase(cases.GatewayCase):
    """A client for each test, and a channel named after it."""

    config = CONFIG

    def setUp(self):
        super().setUp()
        self.api = self.gateway.api()
        self.addCleanup(self.api.close)
        self.plain = self._testMethodName
        self.kept = "kept:" + self._testMethodName

    def data(self, channel=None, **more):
        history = self.api.history(channel or self.kept, limit=-1, **more)
        return [publication["data"] for publication in history["publications"]]


class Publish(ApiCase):
    """/api/publish."""

    def test_without_history_the_result_is_empty(self):
        answer = self.api.call("publish", {"channel": self.plain, "data": {"x": 1}})
        self.assertEqual((answer.status, answer.json()), (200, {"result": {}}))
        self.assertIn("application/json", answer.headers["Content-Type"])

    def test_with_history_the_result_has_the_position(self):
        first = self.api.publish(self.kept, 1)
        second = self.api.publish(self.kept, 2)
        self.assertEqual((first["offset"], second["offset"]), (1, 2))
        self.assertTrue(first["epoch"])
        self.assertEqual(first["epoch"], second["epoch"])

    def test_any_json_value_is_data(self):
        values = [None, True, 0, -1.5, 1e300, "", "text", [], {}, {"a": [1, {"b": None}]}, "ü€😀",
                  12345678901234567890]
        for value in values[:10]:
            self.api.publish(self.kept, value)
        self.assertEqual(self.data(), values[:10])

    def test_data_keeps_its_digits_and_its_order_of_keys(self):
        body = f'{{"channel":"{self.kept}","data":{{"z":1.10,"a":12345678901234567890}}}}'
        self.assertIn("result", self.api.post("/api/publish", body).json())
        answer = self.api.call("history", {"channel": self.kept, "limit": 1})
        self.assertIn(b'{"z":1.10,"a":12345678901234567890}', answer.body)

    def test_no_channel_is_107(self):
        for params in ({"data": 1}, {"channel": "", "data": 1}):
            answer = self.api.call("publish", params)
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.error, {"code": 107, "message": "bad request"})

    def test_no_data_is_107(self):
        self.assertEqual(self.api.call("publish", {"channel": self.plain}).error["code"], 107)

    def test_an_unknown_namespace_is_102(self):
        answer = self.api.call("publish", {"channel": "undefined:x", "data": 1})
        self.assertEqual(answer.error, {"code": 102, "message": "unknown channel"})

    def test_a_channel_name_past_255_bytes_is_107(self):
        answer = self.api.call("publish", {"channel": "x" * 256, "data": 1})
        self.assertEqual(answer.error["code"], 107)

    def test_b64data_is_taken_as_its_bytes(self):
        text = base64.b64encode(b'{"from":"base64"}').decode()
        self.assertIn("result", self.api.call(
            "publish", {"channel": self.kept, "b64data": text}).json())
        self.assertEqual(self.data(), [{"from": "base64"}])

    def test_b64data_that_is_none_is_refused(self):
        answer = self.api.call("publish", {"channel": self.kept, "b64data": "!!"})
        self.assertTrue(answer.status == 400 or answer.error["code"] == 107, answer)

    def test_skip_history_neither_keeps_nor_counts(self):
        self.api.publish(self.kept, 1)
        result = self.api.publish(self.kept, 2, skip_history=True)
        self.assertNotIn("offset", result)
        self.assertEqual(self.api.publish(self.kept, 3)["offset"], 2)
        self.assertEqual(self.data(), [1, 3])

    def test_tags_come_back_with_history(self):
        self.api.publish(self.kept, 1, tags={"kind": "trade", "lang": "ü"})
        history = self.api.history(self.kept, limit=1)
        self.assertEqual(history["publications"][0]["tags"], {"kind": "trade", "lang": "ü"})

    def test_an_idempotency_key_publishes_once(self):
        first = self.api.publish(self.kept, 1, idempotency_key="k1")
        again = self.api.publish(self.kept, 2, idempotency_key="k1")
        other = self.api.publish(self.kept, 3, idempotency_key="k2")
        self.assertEqual(first, again)
        self.assertEqual(other["offset"], 2)
        self.assertEqual(self.data(), [1, 3])

    def test_an_idempotency_key_belongs_to_one_channel(self):
        self.api.publish(self.kept, 1, idempotency_key="same")
        self.api.publish(self.kept + "2", 1, idempotency_key="same")
        self.assertEqual(self.data(self.kept + "2"), [1])

    def test_an_older_version_is_not_published(self):
        self.api.publish(self.kept, "v2", version=2)
        result = self.api.publish(self.kept, "v1", version=1)
        self.assertEqual(result["offset"], 1)
        self.api.publish(self.kept, "v2 again", version=2)
        self.api.publish(self.kept, "v3", version=3)
        self.assertEqual(self.data(), ["v2", "v3"])

    def test_another_version_epoch_starts_anew(self):
        self.api.publish(self.kept, "a5", version=5, version_epoch="a")
        self.api.publish(self.kept, "a4", version=4, version_epoch="a")
        self.api.publish(self.kept, "b1", version=1, version_epoch="b")
        self.assertEqual(self.data(), ["a5", "b1"])

    def test_unknown_fields_are_ignored(self):
        self.assertEqual(self.api.publish(self.plain, 1, delta=True, surprise={"x": []}), {})

    def test_a_wrong_type_is_400_or_107(self):
        for params in ({"channel": 7, "data": 1}, {"channel": self.plain, "data": 1, "tags": 5},
                       {"channel": self.plain, "data": 1, "version": "x"}):
            answer = self.api.call("publish", params)
            self.assertTrue(answer.status == 400 or answer.error["code"] == 107, answer)


class Broadcast(ApiCase):
    """/api/broadcast."""

    def test_each_channel_has_its_answer_in_order(self):
        answer = self.api.call("broadcast", {
            "channels": [self.kept, "undefined:x", self.plain], "data": {"x": 1}})
        responses = answer.result["responses"]
        self.assertEqual(responses[0]["result"]["offset"], 1)
        self.assertEqual(responses[1]["error"]["code"], 102)
        self.assertEqual(responses[2], {"result": {}})
        self.assertEqual(self.data(), [{"x": 1}])

    def test_no_channels_is_107(self):
        for params in ({"data": 1}, {"channels": [], "data": 1}):
            self.assertEqual(self.api.call("broadcast", params).error["code"], 107)

    def test_an_idempotency_key_holds_for_each_channel(self):
        channels = [self.kept, self.kept + "2"]
        for _ in range(2):
            self.api.call("broadcast", {"channels": channels, "data": 1,
                                        "idempotency_key": "b"}).result
        self.assertEqual(self.data(channels[0]), [1])
        self.assertEqual(self.data(channels[1]), [1])


class History(ApiCase):
    """/api/history and /api/history_remove."""

    def fill(self, count=5):
        for i in range(count):
            self.epoch = self.api.publish(self.kept, i)["epoch"]

    def test_limit_zero_gives_the_position_alone(self):
        self.fill()
        self.assertEqual(self.api.history(self.kept),
                         {"publications": [], "offset": 5, "epoch": self.epoch})

    def test_limit_takes_from_the_oldest(self):
        self.fill()
        history = self.api.history(self.kept, limit=2)
        self.assertEqual([(p["offset"], p["data"]) for p in history["publications"]],
                         [(1, 0), (2, 1)])
        self.assertEqual(history["offset"], 5)

    def test_reverse_takes_from_the_newest(self):
        self.fill()
        self.assertEqual([p["data"] for p in self.api.history(
            self.kept, limit=2, reverse=True)["publications"]], [4, 3])

    def test_limit_minus_one_gives_all(self):
        self.fill()
        self.assertEqual(self.data(), [0, 1, 2, 3, 4])

    def test_since_gives_what_came_later(self):
        self.fill()
        since = {"offset": 3, "epoch": self.epoch}
        self.assertEqual(self.data(since=since), [3, 4])
        self.assertEqual([p["data"] for p in self.api.history(
            self.kept, limit=1, since=since)["publications"]], [3])

    def test_since_reverse_gives_what_came_earlier(self):
        self.fill()
        self.assertEqual(self.data(since={"offset": 3, "epoch": self.epoch}, reverse=True), [1, 0])

    def test_another_epoch_is_112(self):
        self.fill()
        answer = self.api.call("history", {"channel": self.kept, "limit": -1,
                                           "since": {"offset": 1, "epoch": "other"}})
        self.assertEqual(answer.error, {"code": 112, "message": "unrecoverable position"})

    def test_only_the_last_of_the_size_are_kept(self):
        self.fill(15)
        self.assertEqual(self.data(), list(range(5, 15)))

    def test_a_channel_without_history_is_108(self):
        answer = self.api.call("history", {"channel": self.plain, "limit": 1})
        self.assertEqual(answer.error, {"code": 108, "message": "not available"})

    def test_errors_of_the_channel_are_107_and_102(self):
        self.assertEqual(self.api.call("history", {}).error["code"], 107)
        self.assertEqual(self.api.call("history", {"channel": "undefined:x"}).error["code"], 102)

    def test_remove_empties_and_keeps_the_position(self):
        self.fill()
        self.assertEqual(self.api.call("history_remove", {"channel": self.kept}).result, {})
        history = self.api.history(self.kept, limit=-1)
        self.assertEqual(history["publications"], [])
        self.assertEqual(self.api.publish(self.kept, "next")["offset"], 6)

    def test_remove_of_a_channel_without_history_is_108(self):
        answer = self.api.call("history_remove", {"channel": self.plain})
        self.assertEqual(answer.error["code"], 108)

    def test_an_untouched_channel_has_an_epoch_and_offset_zero(self):
        history = self.api.history(self.kept, limit=10)
        self.assertEqual((history["publications"], history["offset"]), ([], 0))
        self.assertTrue(history["epoch"])


class Inspect(ApiCase):
    """/api/channels and /api/info."""

    def follow(self, channel):
        """An SSE reader of a channel, until the test ends."""
        connection = httpraw.Connection(self.gateway.address())
        self.addCleanup(connection.close)
        connection.send(httpraw.head_of("GET", f"/channels/{channel}",
                                        [("Accept", "text/event-stream")]))
        self.assertEqual(connection.read_head()[0], 200)

    def channels(self, **params):
        return self.api.call("channels", params).result["channels"]

    def wait_for(self, wanted, **params):
        for _ in range(100):
            if self.channels(**params) == wanted:
                return
            time.sleep(0.02)
        self.assertEqual(self.channels(**params), wanted)

    def test_channels_with_subscribers_are_named_with_their_number(self):
        self.follow("other:look1")
        self.follow("other:look1")
        self.follow("other:look2")
        self.wait_for({"other:look1": {"num_clients": 2}, "other:look2": {"num_clients": 1}},
                      pattern="other:look*")
        self.wait_for({"other:look2": {"num_clients": 1}}, pattern="other:look2")
        self.assertIn("other:look1", self.channels())

    def test_info_describes_this_node(self):
        node, = self.api.call("info").result["nodes"]
        for field in ("uid", "name", "version", "num_clients", "num_users", "num_channels",
                      "num_subs", "uptime"):
            self.assertIn(field, node)
        self.assertTrue(node["uid"] and node["name"] and node["version"])
        if "metrics" in node:
            self.assertIn("items", node["metrics"])

    def test_info_counts_clients_and_subscriptions(self):
        self.follow("other:count")
        for _ in range(100):
            node, = self.api.call("info").result["nodes"]
            if node["num_subs"] >= 1 and node["num_clients"] >= 1:
                return
            time.sleep(0.02)
        self.fail(node)


class Batch(ApiCase):
    """/api/batch."""

    def test_replies_stand_in_order_under_their_method(self):
        answer = self.api.call("batch", {"commands": [
            {"publish": {"channel": self.kept, "data": 1}},
            {"broadcast": {"channels": [self.kept], "data": 2}},
            {"history": {"channel": self.kept, "limit": -1}},
            {"publish": {"channel": "undefined:x", "data": 1}},
            {"history_remove": {"channel": self.kept}},
            {"info": {}},
            {"channels": {}},
        ]})
        self.assertEqual(answer.status, 200)
        replies = answer.json()["replies"]
        self.assertEqual(len(replies), 7)
        self.assertEqual(replies[0]["publish"]["offset"], 1)
        self.assertEqual(replies[1]["broadcast"]["responses"][0]["result"]["offset"], 2)
        self.assertEqual([p["data"] for p in replies[2]["history"]["publications"]], [1, 2])
        self.assertEqual(replies[3]["error"]["code"], 102)
        self.assertEqual(replies[4], {"history_remove": {}})
        self.assertTrue(replies[5]["info"]["nodes"])
        self.assertIn("channels", replies[6]["channels"])

    def test_parallel_is_accepted(self):
        answer = self.api.call("batch", {"parallel": True, "commands": [
            {"publish": {"channel": self.kept, "data": i}} for i in range(5)]})
        self.assertEqual(len(answer.json()["replies"]), 5)

    def test_an_unknown_command_is_an_error_of_its_own(self):
        answer = self.api.call("batch", {"commands": [
            {"nonsense": {}}, {"publish": {"channel": self.kept, "data": 1}}]})
        replies = answer.json().get("replies")
        if replies is None:
            self.assertTrue(answer.status == 400 or answer.error["code"] == 107, answer)
        else:
            self.assertIn("error", replies[0])
            self.assertIn("publish", replies[1])


class Transport(ApiCase):
    """Keys, methods, bodies, and errors as HTTP statuses."""

    def raw(self, headers=(), path="/api/info", method="POST", body=b"{}"):
        return httpraw.request(self.gateway.address(), method, path, list(headers), body)

    def test_the_key_is_taken_from_three_places(self):
        self.assertEqual(self.raw([("X-API-Key", names.API_KEY)]).status, 200)
        self.assertEqual(self.raw([("Authorization", f"apikey {names.API_KEY}")]).status, 200)
        self.assertEqual(self.raw(path=f"/api/info?api_key={names.API_KEY}").status, 200)

    def test_a_wrong_or_missing_key_is_401_with_an_empty_body(self):
        for headers in ([], [("X-API-Key", "")], [("X-API-Key", "wrong")],
                        [("X-API-Key", names.API_KEY + "x")], [("X-API-Key", names.API_KEY[:-1])],
                        [("Authorization", names.API_KEY)],
                        [("Authorization", f"Bearer {names.API_KEY}")]):
            with self.subTest(headers=headers):
                response = self.raw(headers)
                self.assertEqual((response.status, response.body), (401, b""))

    def test_get_is_405(self):
        self.assertEqual(self.raw([("X-API-Key", names.API_KEY)], method="GET", body=b"").status,
                         405)

    def test_a_body_that_is_no_json_is_400(self):
        for body in (b"", b"{", b"nonsense", b'{"channel":"x",}', b"\xff\xfe", b"[1]", b"{}{}"):
            with self.subTest(body=body):
                response = self.raw([("X-API-Key", names.API_KEY)], path="/api/publish", body=body)
                self.assertEqual(response.status, 400, response)

    def test_json_nested_without_end_is_400(self):
        body = b'{"channel":"x","data":' + b"[" * 10000 + b"]" * 10000 + b"}"
        response = self.raw([("X-API-Key", names.API_KEY)], path="/api/publish", body=body)
        self.assertIn(response.status, (200, 400))
        if response.status == 200:
            self.assertIn("result", response.json())

    def test_an_unknown_method_is_404(self):
        self.assertEqual(self.raw([("X-API-Key", names.API_KEY)], path="/api/nonsense").status,
                         404)

    def test_the_error_mode_transport_turns_errors_into_statuses(self):
        mode = {"X-Centrifugo-Error-Mode": "transport"}
        for method, params, status, code in (
                ("publish", {"channel": "undefined:x", "data": 1}, 404, 102),
                ("publish", {"data": 1}, 400, 107),
                ("history", {"channel": self.plain, "limit": 1}, 400, 108),
                ("history", {"channel": self.kept, "limit": 1,
                             "since": {"offset": 1, "epoch": "other"}}, 416, 112)):
            with self.subTest(method=method, code=code):
                if code == 112:
                    self.api.publish(self.kept, 1)
                answer = self.api.call(method, params, mode)
                self.assertEqual(answer.status, status, answer)
                self.assertEqual(answer.json()["code"], code)
        self.assertEqual(self.api.call("publish", {"channel": self.plain, "data": 1}, mode).json(),
                         {"result": {}})

    def test_the_error_mode_does_not_touch_a_batch(self):
        answer = self.api.call("batch", {"commands": [{"publish": {"data": 1}}]},
                               {"X-Centrifugo-Error-Mode": "transport"})
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.json()["replies"][0]["error"]["code"], 107)

    def test_errors_and_calls_are_counted(self):
        before = self.gateway.metrics()
        self.api.call("publish", {"data": 1})
        after = self.gateway.metrics()
        for name in ("tidegate_api_calls_total", "tidegate_api_errors_total"):
            self.assertEqual(after.value(name) - before.value(name), 1, name)


class NoKey(cases.GatewayCase):
    """No key configured: every call is refused, whatever it says."""

    config = gateway.settings(http_api=None)

    def test_every_call_is_401(self):
        for headers in ([], [("X-API-Key", "")], [("X-API-Key", "x")],
                        [("Authorization", "apikey ")]):
            response = httpraw.request(self.gateway.address(), "POST", "/api/publish", headers,
                                       b'{"channel":"x","data":1}')
            self.assertEqual(response.status, 401)
        response = httpraw.request(self.gateway.address(), "POST", "/channels/x",
                                   [("X-API-Key", "")], b"x")
        self.assertEqual(response.status, 401)


class TransportByDefault(cases.GatewayCase):
    """http_api.error_mode and http_api.insecure."""

    config = gateway.settings(http_api={"error_mode": "transport", "insecure": True, "key": ""})

    def test_errors_are_statuses_and_no_key_is_asked_for(self):
        connection = http.client.HTTPConnection(*self.gateway.address(), timeout=10)
        self.addCleanup(connection.close)
        connection.request("POST", "/api/publish", json.dumps({"channel": "undefined:x",
                                                               "data": 1}))
        answer = connection.getresponse()
        self.assertEqual((answer.status, json.loads(answer.read())["code"]), (404, 102))


if __name__ == "__main__":
    unittest.main()
