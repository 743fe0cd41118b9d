"""One run under one seed: a gateway whose calls fail by plan, clients of every kind, and what must
hold whatever fails (README.md). Everything a run does, but for timing, follows from its seed."""

import asyncio
import json
import pathlib
import random
import re
import subprocess
import tempfile
import time
import traceback

from support import gateway, metrics, names

import peers
from peers import Broken, Closed

SOFT = "short+eintr+again+edge+epoll+wake+option"
# A mode: its kinds, the ranges of the two rates (thousandths), the queue limit, and what else.
MODES = {
    "soft": dict(kinds=SOFT, rate=(5, 400), fatal=(0, 0), queue=1 << 24),
    "slow": dict(kinds=SOFT, rate=(300, 700), fatal=(0, 0), queue=4096),
    "lost": dict(kinds=SOFT + "+reset+nobufs", rate=(5, 200), fatal=(1, 15), queue=1 << 20),
    "accept": dict(kinds="short+eintr+again+accept+lost+watch", rate=(50, 300), fatal=(50, 250),
                   queue=1 << 20),
    "memory": dict(kinds=SOFT + "+alloc", rate=(5, 100), fatal=(5, 100), queue=1 << 20),
    "all": dict(kinds=SOFT + "+accept+lost+watch+reset+nobufs+alloc", rate=(5, 200),
                fatal=(1, 15), queue=1 << 17),
}
PUBLICATIONS = 20  # of each publisher
ECHOES = 12
VISITORS = 10
FILE_SIZE = 300_000
CHANNEL = "kept:main"
QUIET = 15.0  # everybody must have heard everything by then


def mode_of(seed):
    return list(MODES)[seed % len(MODES)]


def plan_of(seed):
    """The plan's text for the library, without the report."""
    mode = MODES[mode_of(seed)]
    source = random.Random(seed)
    rate, fatal = source.randint(*mode["rate"]), source.randint(*mode["fatal"])
    return f"seed={seed},rate={rate},fatal={fatal},kinds={mode['kinds']}"


def settings(seed):
    source = random.Random(seed + 1)
    return gateway.settings(
        (names.QUEUE_MAX, MODES[mode_of(seed)]["queue"]), (names.CLOSE_TIMEOUT, "1s"),
        (names.MESSAGE_SIZE, 1 << 20),
        workers=source.randint(1, 3),
        listeners=gateway.BASE["listeners"] + [
            {"name": "secure", "address": "127.0.0.1", "port": 0, "serves": ["public"],
             "tls": {"certificates": [{"certificate": "cert.pem", "key": "key.pem"}]}}],
        channel={"namespaces": [{"name": "kept", "history_size": 5000, "history_ttl": "10m"}]},
        routes=[
            {"path": "/echo", "kind": "echo"},
            {"path": "/channels/{channel}", "kind": "channel", "channel": "{channel}"},
            {"path": "/talk", "kind": "channel", "channel": CHANNEL, "client_publish": True},
            {"path": "/drop", "kind": "channel", "channel": CHANNEL,
             "queue_policy": "drop_oldest"},
            {"path": "/conflate", "kind": "channel", "channel": CHANNEL,
             "queue_policy": "conflate"},
            {"path": "/files/*", "kind": "files", "root": "site"},
        ])


def payload(who, number, size):
    return {"p": who, "n": number, "l": size, "x": chr(97 + number % 26) * size}


def read_payload(value):
    """(who, number), when every byte is as it was published."""
    if not isinstance(value, dict) or value != payload(value.get("p"), value.get("n", 0),
                                                       value.get("l", 0)):
        raise Broken(f"not as it was published: {str(value)[:200]}")
    return value["p"], value["n"]


class Follower:
    """A subscriber that comes back when its connection ends, and what it saw on each connection."""

    def __init__(self, run, kind, path, recovers=False):
        self.run, self.kind, self.path, self.recovers = run, kind, path, recovers
        self.address = run.any_address()
        self.connections = []  # lists of (offset or None, who, number)
        self.sent = []         # of each connection: numbers it published
        self.position = 0
        self.epoch = ""
        self.seen_end = 0
        self.dropped = 0
        self.ws = None

    async def follow(self):
        while not self.run.is_leaving:
            try:
                await self.visit()
            except Closed as closed:
                self.run.on_closed(self.kind, closed, self.ws)
            finally:
                if self.ws is not None:
                    self.ws.abort()
            self.ws, self.seen_end = None, 0
            if not self.run.is_leaving:
                await asyncio.sleep(0.01)

    async def visit(self):
        address = self.address
        since = f"{self.epoch}:{self.position}"
        if self.kind == "sse":
            self.ws = await peers.Events.open(address, self.path, since)
        else:
            path = self.path + (f"&since={since}" if self.recovers else "")
            self.ws = await peers.WebSocket.open(address, path)
        seen = []
        self.connections.append(seen)
        self.sent.append([])
        if "format=json" in self.path:
            self.begin(json.loads(await self.ws.message()))
        while True:
            # Quiet is not silence: the deadline is the run's, which asks for ends.
            message = await self.ws.message(None)
            offset, value = self.take(message)
            if value is None:
                continue
            who, number = read_payload(value)
            seen.append((offset, who, number))
            if who == "end":
                self.seen_end = number

    def begin(self, first):
        if self.recovers and not (first["recovered"] and first["offset"] == self.position):
            raise Broken(f"{self.kind} was at {self.position} and heard {first}")
        self.position, self.epoch = first["offset"], first["epoch"]

    def take(self, message):
        """(offset, value) of one message."""
        if self.kind == "sse":
            identity, data = message
            self.epoch, _, offset = identity.partition(":")
            return self.step(int(offset)), json.loads(data)
        value = json.loads(message)
        if "format=json" not in self.path:
            return None, value
        if "gap" in value:
            return None, None
        return self.step(value["offset"]), value["data"]

    def step(self, offset):
        if offset <= self.position:
            raise Broken(f"{self.kind}: {offset} came after {self.position}")
        if offset != self.position + 1 and (self.recovers or self.kind == "sse"):
            raise Broken(f"{self.kind}: {offset} came after {self.position}, and no end between")
        self.dropped += offset - self.position - 1
        self.position = offset
        return offset


class Run:
    """The run of one seed."""

    def __init__(self, seed, under_test):
        self.seed, self.gateway = seed, under_test
        self.address = under_test.address("main")
        self.secure = (*under_test.address("secure"), "tls")
        self.mode = mode_of(seed)
        self.source = random.Random(seed + 2)
        self.acked = {}       # (who, number) -> offset
        self.live_acked = set()
        self.closed = 0
        self.is_leaving = False
        self.followers = [
            Follower(self, "json", f"/channels/{CHANNEL}?format=json", recovers=True),
            Follower(self, "json", f"/channels/{CHANNEL}?format=json", recovers=True),
            Follower(self, "sse", f"/channels/{CHANNEL}"),
            Follower(self, "plain", f"/channels/{CHANNEL}"),
            Follower(self, "plain", f"/channels/{CHANNEL}"),
            Follower(self, "talk", "/talk"),
            Follower(self, "drop", "/drop?format=json"),
            Follower(self, "conflate", "/conflate?format=json"),
            Follower(self, "live", "/channels/live"),
            Follower(self, "live", "/channels/live"),
        ]
        self.talker = self.followers[5]

    def any_address(self):
        """Half of the clients come over TLS."""
        return self.source.choice([self.address, self.secure])

    def on_closed(self, who, closed, connection=None):
        """A connection ended: in some modes nothing may do that."""
        if self.is_leaving:
            return
        self.closed += 1
        if self.mode == "soft":
            raise Broken(f"the connection of {who} ended without a cause: {closed}")
        if self.mode == "slow" and getattr(connection, "code", None) != names.CLOSE_SLOW \
                and who in ("json", "plain", "talk", "live", "drop", "conflate"):
            raise Broken(f"{who} ended, and not for being slow: {closed}")
        if self.mode == "slow" and who in ("files", "publisher", "poster"):
            raise Broken(f"{who} ended without a cause: {closed}")

    def size(self):
        """A message larger than half of the queue is no fair one to recover."""
        if self.mode == "slow":
            return self.source.choice([0, 10, 100, 1000, 1000, 1200])
        return self.source.choice([0, 10, 100, 100, 1000, 1000, 4000,
                                   50_000 if self.source.random() < 0.3 else 2000])

    # -- who does something --

    async def publisher(self, who):
        http = peers.Http(self.address)
        for number in range(1, PUBLICATIONS + 1):
            try:
                result = await http.api("publish", channel=CHANNEL,
                                        data=payload(who, number, self.size()))
                self.acked[who, number] = result["offset"]
            except Closed as closed:
                self.on_closed("publisher", closed)
        http.finish()

    async def poster(self):
        http = peers.Http(self.any_address())
        for number in range(1, PUBLICATIONS + 1):
            await self.post(http, "post", number, self.size())
        http.finish()

    async def post(self, http, who, number, size):
        try:
            body = json.dumps(payload(who, number, size)).encode()
            status, data = await http.call("POST", "/channels/live", body)
            if status == 200:
                self.live_acked.add((who, number))
            elif status < 500 or self.mode in ("soft", "slow"):
                raise Broken(f"the post was answered {status} {data!r}")
        except Closed as closed:
            self.on_closed("poster", closed)

    async def talk(self):
        for number in range(1, PUBLICATIONS + 1):
            while self.talker.ws is None:
                await asyncio.sleep(0.005)
            ws, sent = self.talker.ws, self.talker.sent
            try:
                if sent:
                    sent[-1].append(number)
                    await ws.say(json.dumps(payload("talk", number, self.size())).encode())
            except Closed:
                pass  # the follower hears of it too
            await asyncio.sleep(0.005)

    async def echo(self):
        ws, left, address = None, ECHOES, self.any_address()
        while left > 0:
            try:
                ws = ws or await peers.WebSocket.open(address, "/echo")
                texts = [b"%d:" % i + b"x" * self.size() for i in range(self.source.randint(1, 4))]
                for text in texts:
                    await ws.say(text)
                for text in texts:
                    if await ws.message() != text:
                        raise Broken("another echo than was sent")
                left -= len(texts)
            except Closed as closed:
                self.on_closed("echo", closed, ws)
                ws, left = None, left - 1
        if ws is not None:
            await ws.leave()

    async def visitor(self, number):
        """Comes, does something, and vanishes in the middle of it."""
        await asyncio.sleep(self.source.random() * 0.3)
        address = self.any_address()
        try:
            if number % 3 == 0:
                # In the clear, whatever the listener speaks.
                ws = await peers.Connection.open(address[:2])
                await ws.send(b"GET /echo HTTP/1.1\r\nHost: a\r\nUpgr"[:self.source.randint(0, 35)])
            elif number % 3 == 1:
                ws = await peers.WebSocket.open(address, "/echo")
                await ws.send(peers.frame(1, b"y" * 3000)[:self.source.randint(1, 3000)])
            else:
                ws = await peers.WebSocket.open(address, f"/channels/{CHANNEL}?history=50")
            await asyncio.sleep(self.source.random() * 0.05)
            ws.abort()
        except Closed as closed:
            self.on_closed("visitor", closed)

    async def files(self):
        http = peers.Http(self.any_address())
        for _ in range(3):
            try:
                status, data = await http.call("GET", "/files/big.txt")
                if status == 200 and data != FILE or status not in (200, 500):
                    raise Broken(f"the file came as {status} with {len(data)} bytes")
            except Closed as closed:
                self.on_closed("files", closed)
        http.finish()

    # -- the run --

    async def all_heard(self):
        """Publishes ends until everybody has heard one; the number of the last."""
        began = time.monotonic()
        http = peers.Http(self.address)
        number = 0
        while time.monotonic() - began < QUIET:
            number += 1
            try:
                result = await http.api("publish", channel=CHANNEL, data=payload("end", number, 9))
                self.acked["end", number] = result["offset"]
            except Closed as closed:
                self.on_closed("publisher", closed)
            await self.post(http, "end", number, 9)
            wait_until = time.monotonic() + 0.5
            while time.monotonic() < wait_until:
                if all(follower.seen_end == number for follower in self.followers):
                    http.finish()
                    return
                await asyncio.sleep(0.005)
        deaf = [f"{f.kind} ({f.seen_end} of {number}, {len(f.connections)} connections)"
                for f in self.followers if f.seen_end != number]
        raise Broken(f"a hang: not heard by {', '.join(deaf)}")

    async def subscribed(self):
        """Until every follower has its first connection, and the hub knows of it."""
        began = time.monotonic()
        http = peers.Http(self.address)
        while True:
            data = json.loads(await http.surely("POST", "/api/channels", b"{}"))
            known = {name: entry["num_clients"] for name, entry
                     in data["result"]["channels"].items()}
            is_complete = known.get(CHANNEL, 0) >= 8 and known.get("live", 0) >= 2
            if is_complete or (self.mode not in ("soft", "slow")
                               and time.monotonic() - began > 1):
                http.finish()
                return
            if time.monotonic() - began > QUIET:
                raise Broken(f"a hang: never subscribed: {known}")
            await asyncio.sleep(0.01)

    async def work(self):
        following = [asyncio.ensure_future(f.follow()) for f in self.followers]
        doing = asyncio.ensure_future(self.do_all())
        try:
            done, _ = await asyncio.wait([doing, *following], timeout=2 * QUIET,
                                         return_when=asyncio.FIRST_COMPLETED)
            if not done:
                raise Broken("a hang: the run takes too long")
            for task in done:
                task.result()  # a follower ends by an error alone
            self.is_leaving = True
            await self.leave()
            await asyncio.wait(following, timeout=QUIET)
        finally:
            self.is_leaving = True
            for task in [doing, *following]:
                task.cancel()
            await asyncio.wait([doing, *following], timeout=1)
        for task in following:
            if not task.done() or task.cancelled():
                raise Broken("a hang: the gateway does not end a connection that was left")
            task.result()
        await self.empty()

    async def do_all(self):
        await self.subscribed()
        await asyncio.gather(
            self.poster(), self.talk(), self.echo(), self.echo(), self.files(),
            *(self.publisher(who) for who in ("abcdefgh" if self.mode == "slow" else "ab")),
            *(self.visitor(n) for n in range(VISITORS)))
        await self.all_heard()
        self.check(await self.history())

    async def history(self):
        http = peers.Http(self.address)
        body = json.dumps({"channel": CHANNEL, "limit": 5000}).encode()
        while True:
            data = json.loads(await http.surely("POST", "/api/history", body))
            if "result" in data:
                http.finish()
                return data["result"]["publications"]
            if self.mode not in ("memory", "all"):
                raise Broken(f"history was answered {data}")

    async def leave(self):
        """Half say good-bye, half vanish."""
        for index, follower in enumerate(self.followers):
            if follower.ws is not None:
                if index % 2 == 0 and follower.kind not in ("sse",):
                    # Reading is the follower's: it sees the answer.
                    try:
                        await follower.ws.send(peers.frame(8, b"\x03\xe8"))
                    except Closed:
                        pass
                else:
                    follower.ws.abort()

    async def empty(self):
        """Nothing is left of clients that went."""
        http = peers.Http(self.address)
        end = time.monotonic() + 15
        while True:
            found = metrics.parse((await http.surely("GET", "/metrics")).decode())
            left = {
                "websocket": found.value(names.CONNECTIONS, transport="websocket"),
                "sse": found.value(names.CONNECTIONS, transport="sse"),
                "connections": found.value(names.CONNECTIONS, transport="all") - 1,
                "queue": found.value(names.QUEUE_BYTES),
                "subscriptions": found.value(names.SUBSCRIPTIONS),
            }
            if not any(left.values()):
                break
            if time.monotonic() > end:
                raise Broken(f"a leak: {left}")
            await asyncio.sleep(0.05)
        http.finish()
        self.check_drops(found)

    async def stop(self):
        """Ends the gateway with clients on it, who must hear of it."""
        stayers = []
        for path in ("/echo", f"/channels/{CHANNEL}?history=9", "/drop"):
            try:
                stayers.append(await peers.WebSocket.open(self.any_address(), path))
            except Closed:
                pass
        await asyncio.gather(asyncio.get_running_loop().run_in_executor(None, self.gateway.stop),
                             *(stayer.ended() for stayer in stayers))

    # -- what must hold --

    def check(self, publications):
        order = [read_payload(item["data"]) for item in publications]
        offsets = [item["offset"] for item in publications]
        if offsets != list(range(1, len(order) + 1)):
            raise Broken("offsets are not one after the other")
        place = {what: index for index, what in enumerate(order)}
        if len(place) != len(order):
            raise Broken("published twice")
        for who in {who for who, _ in order}:
            numbers = [number for name, number in order if name == who]
            if numbers != sorted(numbers):
                raise Broken(f"{who} was published out of order: {numbers}")
        for what, offset in self.acked.items():
            if place.get(what, -1) + 1 != offset:
                raise Broken(f"{what} was acknowledged at {offset} and is not there")
        self.check_talk(place)
        for follower in self.followers:
            if follower.kind == "live":
                self.check_live(follower)
            else:
                self.check_follower(follower, order, place)

    def check_talk(self, place):
        for index, sent in enumerate(self.talker.sent):
            there = [number for number in sent if ("talk", number) in place]
            is_last = index == len(self.talker.sent) - 1
            if there != sent[:len(there)] or (is_last and there != sent):
                raise Broken(f"of {sent} sent on one connection {there} were published")

    def check_follower(self, follower, order, place):
        for seen in follower.connections:
            if not seen:
                continue
            got = [(who, number) for _, who, number in seen]
            if follower.kind in ("plain", "talk"):
                first = place.get(got[0], -1)
                if first < 0 or got != order[first:first + len(got)]:
                    raise Broken(f"{follower.kind} saw {got}\nwhere {order} was published")
            elif any(order[offset - 1] != (who, number) for offset, who, number in seen):
                raise Broken(f"{follower.kind} saw {seen}\nwhere {order} was published")
        if self.mode == "soft" and follower.kind in ("plain", "talk"):
            if len(follower.connections[0]) != len(order):
                raise Broken(f"{follower.kind} missed something before its first message")

    def check_live(self, follower):
        for seen in follower.connections:
            got = [(who, number) for _, who, number in seen]
            if not got:
                continue
            everything = [("post", n) for n in range(1, PUBLICATIONS + 1)] \
                + [("end", n) for n in range(1, 1000)]
            between = everything[everything.index(got[0]):everything.index(got[-1]) + 1]
            if [what for what in between if what in set(got)] != got:
                raise Broken(f"live saw {got}: out of order, or twice")
            missed = [what for what in between if what in self.live_acked and what not in got]
            if missed:
                raise Broken(f"live missed {missed} while it was connected")

    def check_drops(self, found):
        for kind, policy in (("drop", "drop_oldest"), ("conflate", "conflate")):
            counted = found.value(names.DROPS, policy=policy)
            followers = [f for f in self.followers if f.kind == kind]
            missing = sum(f.dropped for f in followers)
            was_closed = any(len(f.connections) > 1 for f in followers)
            if missing > counted or (not was_closed and missing != counted):
                raise Broken(f"{kind} misses {missing}, {counted} were counted as dropped")
        if found.value(names.DROPS, policy="mailbox"):
            raise Broken("a mailbox was full")


FILE = b"".join(b"%07d\n" % i for i in range(FILE_SIZE // 8))


def make_certificate(folder):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-days", "2",
         "-subj", "/CN=localhost"], check=True, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)


def preload(binary, library):
    """What to load first: a sanitizer's library stays in front of ours."""
    listed = subprocess.run(["ldd", binary], stdout=subprocess.PIPE, text=True, check=True).stdout
    found = re.search(r"(/\S*libasan\S*)", listed)
    return f"{found.group(1)} {library}" if found else str(library)


def read_report(path):
    try:
        lines = pathlib.Path(path).read_text(encoding="ascii").splitlines()
    except OSError:
        return {}
    return {kind: int(count) for kind, count in map(str.split, lines)}


async def go(seed, under_test):
    run = Run(seed, under_test)
    await run.work()
    http = peers.Http(run.address)
    data = await http.surely("GET", "/livez")
    http.finish()
    if json.loads(data) != {"status": "ok"}:
        raise Broken(f"/livez said {data!r}")
    await run.stop()
    return run


def run_seed(seed, binary, library):
    """{"seed", "plan", "error" or None, "faults": by kind, "closed": connections}"""
    result = {"seed": seed, "mode": mode_of(seed), "plan": plan_of(seed), "binary": binary,
              "error": None, "faults": {}, "closed": 0, "seconds": 0.0}
    began = time.monotonic()
    gateway.BINARY = binary
    with tempfile.TemporaryDirectory(prefix="tidegate-faults-") as folder:
        folder = pathlib.Path(folder)
        (folder / "site").mkdir()
        (folder / "site" / "big.txt").write_bytes(FILE)
        make_certificate(folder)
        report = folder / "report"
        under_test = gateway.Gateway(settings(seed), folder=str(folder), env={
            "LD_PRELOAD": preload(binary, library),
            "TIDEGATE_FAULTS": f"{result['plan']},report={report}"})
        try:
            under_test.start()
            result["closed"] = asyncio.run(go(seed, under_test)).closed
        except BaseException as error:  # a seed is judged, whatever it comes to
            result["error"] = f"{type(error).__name__}: {error}\n{traceback.format_exc()}" \
                + f"exit status {under_test.process and under_test.process.poll()}\n" \
                + "\n".join(under_test.lines[-60:])
            if isinstance(error, KeyboardInterrupt):
                raise
        finally:
            under_test.kill()
        result["faults"] = read_report(report)
    result["seconds"] = time.monotonic() - began
    return result
