"""Channels over plain WebSocket, SSE and POST: history, positions, recovery, who gets what."""

import asyncio
import json
import subprocess
import time
import unittest

import websockets

from support import cases, gateway, httpraw, names, wsraw

CONFIG = gateway.settings(
    channel={
        "without_namespace": {"history_size": 0, "history_ttl": "0s"},
        "namespaces": [
            {"name": "kept", "history_size": 100, "history_ttl": "10m"},
            {"name": "short", "history_size": 3, "history_ttl": "10m"},
            {"name": "brief", "history_size": 100, "history_ttl": "1s"},
        ],
    },
    sse={"heartbeat_interval": "1s"},
    routes=gateway.BASE["routes"] + [
        {"path": "/talk/{room}", "kind": "channel", "channel": "kept:{room}",
         "client_publish": True},
        {"path": "/others/{room}", "kind": "channel", "channel": "kept:{room}",
         "client_publish": True, "exclude_sender": True},
        {"path": "/last/{room}", "kind": "channel", "channel": "kept:{room}",
         "initial_messages": 2},
        {"path": "/fixed", "kind": "channel", "channel": "kept:fixed"},
    ])


class Channels(cases.AsyncGatewayCase):
    """Each test has a channel of its own, named after it."""

    config = CONFIG

    def setUp(self):
        super().setUp()
        self.api = self.gateway.api()
        self.addCleanup(self.api.close)
        self.room = self._testMethodName
        self.channel = "kept:" + self.room

    def connect(self, path):
        return websockets.connect(self.gateway.ws(path), compression=None, max_size=None)

    async def subscribed(self, channel, count=1):
        """Until the hub knows `count` subscribers of the channel."""
        for _ in range(200):
            channels = self.api.call("channels", {"pattern": channel}).result["channels"]
            if channels.get(channel, {}).get("num_clients", 0) >= count:
                return
            await asyncio.sleep(0.02)
        self.fail(f"nobody came to {channel}")

    async def receive(self, ws, count):
        return [await asyncio.wait_for(ws.recv(), 5) for _ in range(count)]

    async def nothing_comes(self, ws, seconds=0.3):
        with self.assertRaises(asyncio.TimeoutError):
            message = await asyncio.wait_for(ws.recv(), seconds)
            self.fail(f"unexpected {message!r}")

    async def test_a_publication_reaches_a_plain_client_byte_for_byte(self):
        async with self.connect("/channels/" + self.channel) as ws:
            await self.subscribed(self.channel)
            body = json.dumps({"channel": self.channel, "data": "@"}).replace(
                '"@"', '{"a" : 1.50, "b":[ ]}')
            self.assertIn("result", self.api.post("/api/publish", body).json())
            self.assertEqual(json.loads(await asyncio.wait_for(ws.recv(), 5)),
                             {"a": 1.5, "b": []})

    async def test_a_posted_body_reaches_clients_as_it_is(self):
        async with self.connect("/channels/" + self.channel) as ws:
            await self.subscribed(self.channel)
            for body in (b"hello", "grüße".encode(), b'{"x": 1 }', b"two\nlines"):
                answer = self.api.post("/channels/" + self.channel, body)
                self.assertEqual(answer.status, 200, answer)
                message = await asyncio.wait_for(ws.recv(), 5)
                message = message.encode() if isinstance(message, str) else message
                self.assertEqual(message, body)

    async def test_posted_bytes_that_are_no_text_arrive_as_binary(self):
        async with self.connect("/channels/" + self.channel) as ws:
            await self.subscribed(self.channel)
            body = b"\x00\xff\xfe"
            self.api.post("/channels/" + self.channel, body,
                          {"Content-Type": "application/octet-stream"})
            self.assertEqual(await asyncio.wait_for(ws.recv(), 5), body)

    async def test_a_post_without_the_key_is_401_and_publishes_nothing(self):
        async with self.connect("/channels/" + self.channel) as ws:
            await self.subscribed(self.channel)
            for key in (None, "wrong"):
                with self.gateway.api(key) as other:
                    self.assertEqual(other.post("/channels/" + self.channel, b"x").status, 401)
            await self.nothing_comes(ws)

    async def test_curl_publishes_with_one_line(self):
        async with self.connect("/channels/" + self.channel) as ws:
            await self.subscribed(self.channel)
            subprocess.run(
                ["curl", "-sS", "--fail", "-d", "hello", "-H", f"X-API-Key: {names.API_KEY}",
                 self.gateway.url("/channels/" + self.channel)], check=True, timeout=10,
                stdout=subprocess.DEVNULL)
            self.assertEqual(await asyncio.wait_for(ws.recv(), 5), "hello")

    async def test_b64data_reaches_clients_as_its_bytes(self):
        async with self.connect("/channels/" + self.channel) as ws:
            await self.subscribed(self.channel)
            self.api.call("publish", {"channel": self.channel, "b64data": "AP/+"}).result
            self.assertEqual(await asyncio.wait_for(ws.recv(), 5), b"\x00\xff\xfe")

    async def test_history_delivers_the_last_n_in_order_then_what_is_new(self):
        for i in range(10):
            self.api.publish(self.channel, i)
        async with self.connect(f"/channels/{self.channel}?history=4") as ws:
            self.assertEqual(await self.receive(ws, 4), ["6", "7", "8", "9"])
            self.api.publish(self.channel, 10)
            self.assertEqual(await self.receive(ws, 1), ["10"])

    async def test_history_past_what_there_is_delivers_all(self):
        for i in range(3):
            self.api.publish(self.channel, i)
        async with self.connect(f"/channels/{self.channel}?history=50") as ws:
            self.assertEqual(await self.receive(ws, 3), ["0", "1", "2"])

    async def test_without_history_only_what_is_new_arrives(self):
        self.api.publish(self.channel, "old")
        async with self.connect("/channels/" + self.channel) as ws:
            await self.subscribed(self.channel)
            self.api.publish(self.channel, "new")
            self.assertEqual(await self.receive(ws, 1), ['"new"'])

    async def test_initial_messages_of_the_route_are_delivered(self):
        for i in range(5):
            self.api.publish(self.channel, i)
        async with self.connect("/last/" + self.room) as ws:
            self.assertEqual(await self.receive(ws, 2), ["3", "4"])

    async def test_history_of_the_query_is_stronger_than_the_routes(self):
        for i in range(5):
            self.api.publish(self.channel, i)
        async with self.connect(f"/last/{self.room}?history=3") as ws:
            self.assertEqual(await self.receive(ws, 3), ["2", "3", "4"])

    async def test_since_delivers_exactly_what_was_missed(self):
        for i in range(10):
            result = self.api.publish(self.channel, i)
        epoch = result["epoch"]
        async with self.connect(f"/channels/{self.channel}?since={epoch}:7") as ws:
            self.assertEqual(await self.receive(ws, 3), ["7", "8", "9"])
            self.api.publish(self.channel, 10)
            self.assertEqual(await self.receive(ws, 1), ["10"])
        async with self.connect(f"/channels/{self.channel}?since={epoch}:11") as ws:
            await self.subscribed(self.channel)
            self.api.publish(self.channel, 11)
            self.assertEqual(await self.receive(ws, 1), ["11"])

    async def test_since_with_an_empty_epoch_means_whichever_it_is(self):
        for i in range(3):
            self.api.publish(self.channel, i)
        async with self.connect(f"/channels/{self.channel}?since=:0") as ws:
            self.assertEqual(await self.receive(ws, 3), ["0", "1", "2"])
        async with self.connect(f"/channels/{self.channel}?since=:2") as ws:
            self.assertEqual(await self.receive(ws, 1), ["2"])

    async def test_format_json_begins_with_the_position_of_what_follows(self):
        for i in range(3):
            result = self.api.publish(self.channel, {"n": i})
        epoch = result["epoch"]
        async with self.connect(f"/channels/{self.channel}?format=json&history=2") as ws:
            first, *rest = map(json.loads, await self.receive(ws, 3))
            self.assertEqual((first["epoch"], first["offset"]), (epoch, 1))
            self.assertIn("recovered", first)
            self.assertEqual(rest, [{"offset": 2, "epoch": epoch, "data": {"n": 1}},
                                    {"offset": 3, "epoch": epoch, "data": {"n": 2}}])

    async def test_format_json_says_recovered_when_nothing_is_missing(self):
        for i in range(5):
            epoch = self.api.publish(self.channel, i)["epoch"]
        async with self.connect(f"/channels/{self.channel}?format=json&since={epoch}:3") as ws:
            first, *rest = map(json.loads, await self.receive(ws, 3))
            self.assertIs(first["recovered"], True)
            self.assertEqual([item["offset"] for item in rest], [4, 5])

    async def test_format_json_says_not_recovered_for_another_epoch(self):
        epoch = self.api.publish(self.channel, 1)["epoch"]
        other = epoch[:-1] + ("a" if epoch[-1] != "a" else "b")
        async with self.connect(f"/channels/{self.channel}?format=json&since={other}:0") as ws:
            first = json.loads((await self.receive(ws, 1))[0])
            self.assertIs(first["recovered"], False)

    async def test_format_json_says_not_recovered_when_history_no_longer_reaches(self):
        channel = "short:" + self.room
        for i in range(10):
            epoch = self.api.publish(channel, i)["epoch"]
        async with self.connect(f"/channels/{channel}?format=json&since={epoch}:2") as ws:
            first = json.loads((await self.receive(ws, 1))[0])
            self.assertIs(first["recovered"], False)
            self.assertEqual(first["offset"], 10)
        async with self.connect(f"/channels/{channel}?format=json&since={epoch}:7") as ws:
            first, *rest = map(json.loads, await self.receive(ws, 4))
            self.assertIs(first["recovered"], True)
            self.assertEqual([item["offset"] for item in rest], [8, 9, 10])

    async def test_format_json_says_not_recovered_for_a_position_in_the_future(self):
        epoch = self.api.publish(self.channel, 1)["epoch"]
        async with self.connect(f"/channels/{self.channel}?format=json&since={epoch}:99") as ws:
            first = json.loads((await self.receive(ws, 1))[0])
            self.assertIs(first["recovered"], False)

    async def test_format_json_of_binary_data_is_still_json(self):
        async with self.connect(f"/channels/{self.channel}?format=json") as ws:
            await self.receive(ws, 1)
            self.api.call("publish", {"channel": self.channel, "b64data": "AP/+"}).result
            json.loads((await self.receive(ws, 1))[0])

    async def test_format_json_of_posted_text_is_still_json(self):
        async with self.connect(f"/channels/{self.channel}?format=json") as ws:
            await self.receive(ws, 1)
            self.api.post("/channels/" + self.channel, 'say "hi"\n'.encode())
            self.assertEqual(json.loads((await self.receive(ws, 1))[0])["data"], 'say "hi"\n')

    async def test_history_goes_away_with_its_time(self):
        channel = "brief:" + self.room
        self.api.publish(channel, 1)
        await asyncio.sleep(1.6)
        self.assertEqual(self.api.history(channel, limit=10)["publications"], [])
        async with self.connect(f"/channels/{channel}?history=5") as ws:
            await self.subscribed(channel)
            self.api.publish(channel, 2)
            self.assertEqual(await self.receive(ws, 1), ["2"])

    async def test_a_query_that_is_no_number_is_400(self):
        for query in ("history=x", "history=-1", "since=x", "since=a:b", "since=a:-1",
                      "format=xml", "history=99999999999999999999"):
            with self.subTest(query=query):
                with httpraw.Connection(self.gateway.address()) as connection:
                    connection.send(httpraw.head_of(
                        "GET", f"/channels/{self.channel}?{query}", wsraw.upgrade_headers()))
                    cases.assert_refusal(self, connection.read_response(), 400)

    async def test_a_channel_of_an_unknown_namespace_is_refused(self):
        with httpraw.Connection(self.gateway.address()) as connection:
            connection.send(httpraw.head_of("GET", "/channels/nowhere:x",
                                            wsraw.upgrade_headers()))
            response = connection.read_response()
            self.assertIn(response.status, (400, 403, 404), response)

    async def test_a_channel_name_past_255_bytes_is_refused(self):
        with httpraw.Connection(self.gateway.address()) as connection:
            connection.send(httpraw.head_of("GET", "/channels/" + "x" * 256,
                                            wsraw.upgrade_headers()))
            self.assertIn(connection.read_response().status, (400, 404, 414))

    async def test_a_percent_coded_path_names_the_same_channel(self):
        async with self.connect(f"/channels/kept%3A{self.room}") as ws:
            await self.subscribed(self.channel)
            self.api.publish(self.channel, 1)
            self.assertEqual(await self.receive(ws, 1), ["1"])

    async def test_what_a_client_sends_is_published_only_where_allowed(self):
        async with self.connect("/channels/" + self.channel) as quiet, \
                self.connect("/talk/" + self.room) as talker:
            await self.subscribed(self.channel, 2)
            await talker.send("hello")
            self.assertEqual(await self.receive(quiet, 1), ["hello"])
            self.assertEqual(await self.receive(talker, 1), ["hello"])
            await talker.send(b"\x01\x02")
            self.assertEqual(await self.receive(quiet, 1), [b"\x01\x02"])

    async def test_what_a_client_sends_elsewhere_is_not_published(self):
        async with self.connect("/channels/" + self.channel) as listener, \
                self.connect("/channels/" + self.channel) as sender:
            await self.subscribed(self.channel, 2)
            await sender.send("psst")
            await self.nothing_comes(listener)

    async def test_exclude_sender_spares_the_sender_alone(self):
        async with self.connect("/others/" + self.room) as one, \
                self.connect("/others/" + self.room) as two:
            await self.subscribed(self.channel, 2)
            await one.send("from one")
            await two.send("from two")
            self.assertEqual(await self.receive(one, 1), ["from two"])
            self.assertEqual(await self.receive(two, 1), ["from one"])
            await self.nothing_comes(one)

    async def test_a_fixed_channel_needs_no_name_in_the_path(self):
        async with self.connect("/fixed") as ws:
            await self.subscribed("kept:fixed")
            self.api.publish("kept:fixed", "x")
            self.assertEqual(await self.receive(ws, 1), ['"x"'])

    async def test_a_client_that_leaves_is_unsubscribed(self):
        async with self.connect("/channels/" + self.channel):
            await self.subscribed(self.channel)
        for _ in range(100):
            channels = self.api.call("channels", {"pattern": self.channel}).result["channels"]
            if channels.get(self.channel, {}).get("num_clients", 0) == 0:
                return
            await asyncio.sleep(0.02)
        self.fail("still subscribed")

    async def test_a_large_publication_arrives_whole(self):
        text = "x" * 500_000
        async with self.connect("/channels/" + self.channel) as ws:
            await self.subscribed(self.channel)
            self.api.publish(self.channel, text)
            self.assertEqual(json.loads((await self.receive(ws, 1))[0]), text)


class Sse(cases.GatewayCase):
    """The same URL as an event stream."""

    config = CONFIG

    def setUp(self):
        super().setUp()
        self.api = self.gateway.api()
        self.addCleanup(self.api.close)
        self.channel = "kept:" + self._testMethodName

    def open(self, query="", headers=()):
        connection = httpraw.Connection(self.gateway.address())
        self.addCleanup(connection.close)
        connection.send(httpraw.head_of("GET", f"/channels/{self.channel}{query}",
                                        [("Accept", "text/event-stream"), *headers]))
        status, _, answer = connection.read_head()
        self.assertEqual(status, 200, answer)
        answer = dict(answer)
        self.assertTrue(answer["content-type"].startswith("text/event-stream"), answer)
        self.assertIn("no-", answer.get("cache-control", ""))
        reader = self.chunks(connection) if answer.get("transfer-encoding") == "chunked" \
            else self.plain(connection)
        return self.lines(reader)

    @staticmethod
    def chunks(connection):
        while True:
            size = int(connection.read_until(b"\r\n").split(b";")[0], 16)
            data = connection.read_exactly(size)
            connection.read_exactly(2)
            if size == 0:
                return
            yield data

    @staticmethod
    def plain(connection):
        while True:
            if connection.kept:
                data, connection.kept = connection.kept, b""
                yield data
            elif not connection._more():
                return

    @staticmethod
    def lines(pieces):
        kept = b""
        for piece in pieces:
            kept += piece
            *whole, kept = kept.split(b"\n")
            for line in whole:
                yield line.rstrip(b"\r").decode("utf-8")

    @staticmethod
    def next_event(lines):
        """(id, data) of the next event; comments and empty events are passed over."""
        identity, data = None, []
        for line in lines:
            if line == "":
                if data:
                    return identity, "\n".join(data)
                continue
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "id":
                identity = value
            elif field == "data":
                data.append(value)
        raise AssertionError("the stream ended")

    def test_each_publication_is_an_event_with_its_position(self):
        for i in range(3):
            epoch = self.api.publish(self.channel, i)["epoch"]
        lines = self.open("?history=2")
        self.assertEqual(self.next_event(lines), (f"{epoch}:2", "1"))
        self.assertEqual(self.next_event(lines), (f"{epoch}:3", "2"))
        self.api.publish(self.channel, 3)
        self.assertEqual(self.next_event(lines), (f"{epoch}:4", "3"))

    def test_last_event_id_brings_what_was_missed(self):
        for i in range(6):
            epoch = self.api.publish(self.channel, i)["epoch"]
        lines = self.open(headers=[("Last-Event-ID", f"{epoch}:4")])
        self.assertEqual(self.next_event(lines), (f"{epoch}:5", "4"))
        self.assertEqual(self.next_event(lines), (f"{epoch}:6", "5"))

    def test_since_works_as_last_event_id_does(self):
        for i in range(3):
            epoch = self.api.publish(self.channel, i)["epoch"]
        lines = self.open(f"?since={epoch}:1")
        self.assertEqual(self.next_event(lines)[1], "1")

    def test_lines_of_a_publication_stay_one_event(self):
        lines = self.open()
        self.wait_for_subscriber()
        for body in ("one\ntwo", "one\r\ntwo", "id: 7\ndata: x\n\nevent: y"):
            self.api.post("/channels/" + self.channel, body.encode())
            self.assertEqual(self.next_event(lines)[1], body.replace("\r\n", "\n"))

    def test_a_carriage_return_cannot_forge_a_field(self):
        lines = self.open()
        self.wait_for_subscriber()
        self.api.post("/channels/" + self.channel, b"safe\rid: 99")
        self.assertEqual(self.next_event(lines)[1].split("\n")[0].split("\r")[0], "safe")

    def wait_for_subscriber(self):
        for _ in range(200):
            channels = self.api.call("channels", {"pattern": self.channel}).result["channels"]
            if channels.get(self.channel, {}).get("num_clients"):
                return
            time.sleep(0.02)
        self.fail("nobody came")

    def test_format_json_begins_with_the_position(self):
        epoch = self.api.publish(self.channel, 1)["epoch"]
        lines = self.open("?format=json&history=1")
        first = json.loads(self.next_event(lines)[1])
        self.assertEqual((first["epoch"], first["offset"]), (epoch, 0))
        self.assertEqual(json.loads(self.next_event(lines)[1]),
                         {"offset": 1, "epoch": epoch, "data": 1})

    def test_a_quiet_stream_has_comment_heartbeats(self):
        lines = self.open()
        beats = 0
        began = time.monotonic()
        for line in lines:
            beats += line.startswith(":")
            if beats >= 2:
                break
        self.assertLess(time.monotonic() - began, 6)

    def test_a_reader_that_leaves_is_noticed(self):
        connection = httpraw.Connection(self.gateway.address())
        connection.send(httpraw.head_of("GET", "/channels/" + self.channel,
                                        [("Accept", "text/event-stream")]))
        connection.read_head()
        self.wait_for_subscriber()
        connection.close()
        for _ in range(200):
            channels = self.api.call("channels", {"pattern": self.channel}).result["channels"]
            if not channels.get(self.channel, {}).get("num_clients"):
                return
            time.sleep(0.02)
        self.fail("still subscribed")

    def test_curl_reads_the_stream(self):
        for i in range(3):
            epoch = self.api.publish(self.channel, i)["epoch"]
        curl = subprocess.run(
            ["curl", "-sS", "-N", "--max-time", "2", "-H", "Accept: text/event-stream",
             "-H", f"Last-Event-ID: {epoch}:1", self.gateway.url("/channels/" + self.channel)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, timeout=20)
        self.assertEqual(curl.returncode, 28, curl.stderr)  # its own time-out: the stream stays
        events = [block for block in curl.stdout.replace("\r\n", "\n").split("\n\n")
                  if "data:" in block]
        self.assertEqual(len(events), 2, curl.stdout)
        for number, block in zip((2, 3), events):
            fields = dict(line.split(": ", 1) for line in block.strip().split("\n")
                          if ": " in line and not line.startswith(":"))
            self.assertEqual(fields["id"], f"{epoch}:{number}")
            self.assertEqual(fields["data"], str(number - 1))

    def test_an_origin_that_is_not_allowed_gets_no_permission_header(self):
        answer = httpraw.Connection(self.gateway.address())
        self.addCleanup(answer.close)
        answer.send(httpraw.head_of("GET", "/channels/" + self.channel, [
            ("Accept", "text/event-stream"), ("Origin", "http://page.example")]))
        status, _, headers = answer.read_head()
        self.assertEqual(status, 200)
        allowed = dict(headers).get("access-control-allow-origin")
        self.assertIn(allowed, (None, "*", "http://page.example"))


if __name__ == "__main__":
    unittest.main()
