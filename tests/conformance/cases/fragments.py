"""Categories 5 and 10: messages in fragments (RFC 6455 §5.4)."""

import time

from client import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_payload, require
from registry import Group

from cases.framing import BYTES, LETTERS, a, after_echo, fails


def pieces_come_back(opcode, pieces, chop=None):
    def body(link):
        link.send_fragments(opcode, pieces, chop)
        link.expect_message(opcode, b"".join(pieces))
        link.finish()
    return body


for number, kind, name in ((1, TEXT, "text"), (2, BINARY, "binary message")):
    group = Group(f"5.{number}", "RFC 6455 §5.4")
    for said, pieces in (
            ("two fragments", [b"fragment1", b"fragment2"]),
            ("three fragments", [b"one", b"two", b"three"]),
            ("two fragments, the first one empty", [b"", b"rest"]),
            ("two fragments, the last one empty", [b"all", b""]),
            ("three fragments, the middle one empty", [b"one", b"", b"three"]),
            ("three fragments, the outer ones empty", [b"", b"middle", b""]),
            ("three empty fragments", [b"", b"", b""]),
            ("26 fragments of a byte", [bytes([c]) for c in range(97, 123)]),
            ("fragments of 125, 126 and 127 bytes", [b"a" * 125, b"b" * 126, b"c" * 127]),
            ("fragments of 65535 and 65536 bytes", [b"a" * 65535, b"b" * 65536]),
            ("1000 fragments", [b"%03d" % i for i in range(1000)])):
        group.add(f"A {name} in {said} comes back whole.", pieces_come_back(kind, pieces))
        if len(pieces) < 100:
            group.add(f"A {name} in {said}, cut at odd places, comes back whole.",
                      pieces_come_back(kind, pieces, 1 if sum(map(len, pieces)) < 500 else 509))


def with_between(*between, pong_for=(), chop=None, pace=0.0):
    """A body: two fragments with frames between them."""
    def body(link):
        frames = [link.frame(TEXT, b"one ", fin=False)]
        frames += [frame(link) for frame in between]
        frames.append(link.frame(CONTINUATION, b"two"))
        if pace:
            for frame in frames:
                link.send_raw(frame)
                time.sleep(pace)
        else:
            link.send_raw(b"".join(frames), chop)
        for payload in pong_for:
            link.expect_pong(payload)
        link.expect_message(TEXT, b"one two")
        link.is_alive()
        link.finish()
    return body


group = Group("5.3", "RFC 6455 §5.4")
group.add("A ping between fragments is answered before the message.",
          with_between(a(PING, b"now"), pong_for=[b"now"]))
group.add("A ping between fragments in single bytes is answered before the message.",
          with_between(a(PING, b"now"), pong_for=[b"now"], chop=1))
group.add("An empty ping between fragments is answered.", with_between(a(PING), pong_for=[b""]))
group.add("A ping of 125 bytes between fragments is answered.",
          with_between(a(PING, b"p" * 125), pong_for=[b"p" * 125]))
group.add("A pong between fragments changes nothing.", with_between(a(PONG, b"unasked")))
group.add("Pongs between fragments in single bytes change nothing.",
          with_between(a(PONG, b"a"), a(PONG), chop=1))
group.add("Ping and pong between fragments: the ping is answered.",
          with_between(a(PONG, b"a"), a(PING, b"b"), a(PONG, b"c"), pong_for=[b"b"]))
group.add("Fragments and pings that take their time come back.",
          with_between(a(PING, b"b"), a(PING, b"c"), pong_for=[b"b", b"c"], pace=0.02))


def pinged_in_turn(count, opcode):
    """A body: after each fragment a ping, whose pong is awaited before going on."""
    def body(link):
        for i in range(count):
            link.send(opcode if i == 0 else CONTINUATION, b"%d," % i, fin=False)
            link.send(PING, b"ping %d" % i)
            link.expect_pong(b"ping %d" % i)
        link.send(CONTINUATION, b"end")
        link.expect_message(opcode, b"".join(b"%d," % i for i in range(count)) + b"end")
        link.finish()
    return body


group.add("Five fragments with a ping after each: pongs first, then the message.",
          pinged_in_turn(5, TEXT))
group.add("Five binary fragments with a ping after each: pongs first, then the message.",
          pinged_in_turn(5, BINARY))
group.add("A hundred fragments with a ping after each: pongs first, then the message.",
          pinged_in_turn(100, TEXT))


def two_messages(chop):
    def body(link):
        frames = []
        for opcode, word in ((TEXT, b"first"), (BINARY, b"second")):
            frames += [link.frame(opcode, word, fin=False), link.frame(PING, word),
                       link.frame(CONTINUATION, b"", fin=False), link.frame(CONTINUATION, word)]
        link.send_raw(b"".join(frames), chop)
        for opcode, word in ((TEXT, b"first"), (BINARY, b"second")):
            link.expect_pong(word)
            link.expect_message(opcode, word * 2)
        link.finish()
    return body


group.add("Two fragmented messages with pings keep their order.", two_messages(None))
group.add("Two fragmented messages with pings in single bytes keep their order.", two_messages(1))
group.add("A close between fragments is answered and the message never comes.", lambda link: (
    link.send(TEXT, b"one", fin=False), link.send(CLOSE, close_payload(1000)),
    link.expect_closed(1000)), section="RFC 6455 §5.5.1")
group.add("Nothing of an unfinished message comes back.", lambda link: (
    link.send(TEXT, b"one", fin=False), link.is_alive(),
    require(link.wire.is_quiet(0.05), "something came back"), link.finish()))

group = Group("5.4", "RFC 6455 §5.4")
for kind, name in ((TEXT, "text"), (BINARY, "binary message")):
    for is_last in (True, False):
        said = "a last" if is_last else "a"
        group.add(f"After {name}, {said} continuation of nothing is refused.", lambda link, k=kind,
                  f=is_last: (link.send(k, b"whole"), link.expect_message(k, b"whole"),
                              link.send(CONTINUATION, b"none", fin=f), link.expect_failure(1002)))
for is_last in (True, False):
    for size in (0, 10, 126):
        group.add(f"A continuation of nothing as the first frame is refused (last: {is_last}, "
                  f"{size} bytes).", fails(1002, a(CONTINUATION, LETTERS[:size], fin=is_last)))
group.add("A continuation of nothing in single bytes is refused.",
          after_echo(1002, a(CONTINUATION, b"none"), chop=1))
group.add("A continuation after a finished fragmented message is refused.", lambda link: (
    link.send_fragments(TEXT, [b"a", b"b"]), link.send(CONTINUATION, b"c"),
    link.expect_message(TEXT, b"ab"), link.expect_failure(1002)))
for outer, inner in ((TEXT, TEXT), (TEXT, BINARY), (BINARY, TEXT), (BINARY, BINARY)):
    for is_last in (True, False):
        group.add(f"A message of kind {inner} inside one of kind {outer} is refused"
                  f" (last: {is_last}).", after_echo(1002, a(outer, b"one", fin=False),
                                                     a(inner, b"two", fin=is_last)))
group.add("A message inside a message in single bytes is refused.",
          after_echo(1002, a(TEXT, b"one", fin=False), a(TEXT, b"two"), chop=1))
group.add("A message inside a message is refused before the rest of it comes.", lambda link: (
    link.send(TEXT, b"one", fin=False),
    link.send_raw(link.frame(TEXT, b"x", length=100)), link.expect_failure(1002)))
for kind, name in ((PING, "ping"), (PONG, "pong"), (CLOSE, "close")):
    group.add(f"A fragmented {name} between fragments is refused.", after_echo(
        1002, a(TEXT, b"one", fin=False), a(kind, b"", fin=False), a(CONTINUATION, b"two")),
        section="RFC 6455 §5.5")

group = Group("10.1", "RFC 6455 §5.4")
for kind, data, name in ((TEXT, LETTERS, "text"), (BINARY, BYTES, "binary message")):
    for size, step in ((65536, 1300), (65536, 1), (65536, 997), (65537, 65536), (4096, 1)):
        group.add(f"A {name} of {size} bytes, fragmented at each {step}, comes back whole.",
                  pieces_come_back(kind, [data[i:min(i + step, size)]
                                          for i in range(0, size, step)]))
