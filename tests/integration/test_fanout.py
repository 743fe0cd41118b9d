"""Order and completeness over several workers: publishers on several connections, subscribers
that leave and come back with `since`. Each gets every message exactly once and in order."""

import asyncio
import json
import random
import threading
import unittest

import websockets

from support import cases, gateway

CHANNELS = 4
PUBLISHERS = 4
MESSAGES = 250  # of each publisher on each channel
STEADY = 3  # subscribers of each channel that stay
RESTLESS = 3  # subscribers of each channel that leave and come back
END = "end"

CONFIG = gateway.settings(
    ("client.recovery_max_publication_limit", 10000), ("client.queue_max_size", "16MiB"),
    workers=4,
    channel={"namespaces": [{"name": "order", "history_size": 5000, "history_ttl": "10m"}]})


class Subscriber:
    """Follows one channel until it has seen `END` from every publisher."""

    def __init__(self, gateway_, channel, restless, seed):
        self.gateway = gateway_
        self.channel = channel
        self.restless = restless
        self.random = random.Random(seed)
        self.epoch = None
        self.offset = 0
        self.seen = []
        self.ends = 0
        self.visits = 0
        self.unrecovered = 0

    def address(self):
        since = f"{self.epoch or ''}:{self.offset}"
        return self.gateway.ws(f"/channels/{self.channel}?format=json&since={since}")

    async def visit(self, started):
        self.visits += 1
        async with websockets.connect(self.address(), compression=None, max_queue=None,
                                      ping_interval=None) as ws:
            first = json.loads(await ws.recv())
            self.unrecovered += first["recovered"] is not True
            self.epoch = first["epoch"]
            started.set()
            leave_after = self.random.randint(1, 150) if self.restless else None
            taken = 0
            async for text in ws:
                message = json.loads(text)
                self.offset = message["offset"]
                self.seen.append((message["offset"], message["data"]))
                taken += 1
                if message["data"]["n"] == END:
                    self.ends += 1
                    if self.ends == PUBLISHERS:
                        return
                if leave_after is not None and taken >= leave_after:
                    # Half of them leave without a word, as a lost network does.
                    if self.random.random() < 0.5:
                        ws.transport.abort()
                    return

    async def follow(self, started):
        while self.ends < PUBLISHERS:
            try:
                await self.visit(started)
            except websockets.ConnectionClosed:
                pass
            if self.restless:
                await asyncio.sleep(self.random.uniform(0, 0.02))


def publish(gateway_, number, channels, failures):
    """One publisher on a connection of its own, taking turns among the channels."""
    try:
        with gateway_.api() as api:
            for i in [*range(MESSAGES), END]:
                for channel in channels:
                    api.publish(channel, {"p": number, "n": i})
    except Exception as failure:  # reported by the test, which waits for this thread
        failures.append(repr(failure))


class Fanout(cases.AsyncGatewayCase):
    """Four workers, four publishers, four channels."""

    config = CONFIG

    async def run_all(self, channels, restless):
        subscribers = [
            Subscriber(self.gateway, channel, i >= STEADY, seed=i)
            for channel in channels for i in range(STEADY + (RESTLESS if restless else 0))]
        started = [asyncio.Event() for _ in subscribers]
        tasks = [asyncio.ensure_future(s.follow(e)) for s, e in zip(subscribers, started)]
        await asyncio.wait_for(asyncio.gather(*(e.wait() for e in started)), 20)
        failures = []
        threads = [threading.Thread(target=publish, args=(self.gateway, n, channels, failures))
                   for n in range(PUBLISHERS)]
        for thread in threads:
            thread.start()
        try:
            await asyncio.wait_for(asyncio.gather(*tasks), 90)
        finally:
            for task in tasks:
                task.cancel()
            for thread in threads:
                await asyncio.get_running_loop().run_in_executor(None, thread.join)
        self.assertEqual(failures, [])
        return subscribers

    def check(self, subscribers):
        total = PUBLISHERS * (MESSAGES + 1)
        reference = {}
        for subscriber in subscribers:
            offsets = [offset for offset, _ in subscriber.seen]
            self.assertEqual(offsets, list(range(1, total + 1)),
                             f"{subscriber.channel} after {subscriber.visits} visits")
            self.assertEqual(subscriber.unrecovered, 0)
            for publisher in range(PUBLISHERS):
                numbers = [data["n"] for _, data in subscriber.seen if data["p"] == publisher]
                self.assertEqual(numbers, [*range(MESSAGES), END])
            agreed = reference.setdefault(subscriber.channel, subscriber.seen)
            self.assertEqual(subscriber.seen, agreed, "two subscribers saw two orders")

    async def test_each_subscriber_gets_each_message_once_and_in_order(self):
        channels = [f"order:still{i}" for i in range(CHANNELS)]
        self.check(await self.run_all(channels, restless=False))

    async def test_subscribers_that_leave_and_come_back_miss_nothing(self):
        channels = [f"order:moving{i}" for i in range(CHANNELS)]
        subscribers = await self.run_all(channels, restless=True)
        self.check(subscribers)
        restless = [s for s in subscribers if s.restless]
        self.assertGreater(min(s.visits for s in restless), 3)

    async def test_connections_are_spread_over_the_workers(self):
        sockets = [await websockets.connect(self.gateway.ws("/echo"), compression=None)
                   for _ in range(64)]
        try:
            used = {labels["worker"]: value for labels, value
                    in self.gateway.metrics().series("tidegate_worker_connections")}
            self.assertEqual(len(used), 4)
            self.assertGreaterEqual(sum(1 for value in used.values() if value > 0), 3, used)
        finally:
            for socket in sockets:
                await socket.close()


if __name__ == "__main__":
    unittest.main()
