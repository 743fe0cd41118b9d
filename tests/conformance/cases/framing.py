"""Categories 1 to 4: sizes, masks, pings, reserved bits, opcodes (RFC 6455 §5)."""

from client import (BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_payload, head, masked)
from registry import Group

NAMES = {TEXT: "text", BINARY: "binary message"}
LETTERS = b"*" * 65537
BYTES = bytes(range(256)) * 257


def payload_of(opcode, size):
    return (LETTERS if opcode == TEXT else BYTES)[:size]


def echo(opcode, payload, **how):
    def body(link):
        link.send(opcode, payload, **how)
        link.expect_message(opcode, payload)
        link.finish()
    return body


def fails(code, *steps, chop=None):
    """A body: the frames of `steps` (functions of the link, or bytes) end the connection."""
    def body(link):
        link.send_raw(b"".join(step(link) if callable(step) else step for step in steps), chop)
        link.expect_failure(code)
    return body


def a(opcode, payload=b"", **how):
    """A frame made when the case runs."""
    return lambda link: link.frame(opcode, payload, **how)


def after_echo(code, *steps, chop=None):
    """A body: a text is echoed, then `steps` end the connection, though a ping follows them."""
    def body(link):
        frames = [a(TEXT, b"before"), *steps, a(PING, b"after")]
        link.send_raw(b"".join(frame(link) for frame in frames), chop)
        link.expect_message(TEXT, b"before")
        link.expect_failure(code)
    return body


# ---- 1: framing

for number, kind in ((1, TEXT), (2, BINARY)):
    group = Group(f"1.{number}", "RFC 6455 §5.2")
    for size in (0, 1, 125, 126, 127, 128, 65535, 65536):
        data = payload_of(kind, size)
        group.add(f"A {NAMES[kind]} of {size} bytes in one write comes back.", echo(kind, data))
        group.add(f"A {NAMES[kind]} of {size} bytes in pieces of 997 comes back.",
                  echo(kind, data, chop=997))
        group.add(f"A {NAMES[kind]} of {size} bytes, each byte sent alone, comes back.",
                  echo(kind, data, chop=1), is_heavy=size > 1000)

group = Group("1.3", "RFC 6455 §5.2")
for kind in (TEXT, BINARY, PING, CONTINUATION):
    for size, form in ((0, 16), (1, 16), (125, 16), (0, 64), (125, 64), (126, 64), (65535, 64)):
        if kind == TEXT or size == 125:
            first = a(TEXT, b"x", fin=False) if kind == CONTINUATION else b""
            group.add(f"Opcode {kind} with a length of {size} in {form} bits is refused: not the"
                      " shortest form.", fails(1002, first, a(kind, LETTERS[:size], form=form)))
for kind in (TEXT, BINARY):
    group.add(f"A {NAMES[kind]} whose length has its highest bit set is refused.",
              fails(1002, lambda link, k=kind: head(k, 1 << 63, form=64) + b"\0\0\0\0x"))
group.add("A length of all ones is refused.",
          fails(1002, lambda link: head(BINARY, (1 << 64) - 1, form=64) + b"\0\0\0\0x"))

group = Group("1.4", "RFC 6455 §5.1")
for kind, data in ((TEXT, b""), (TEXT, b"hello"), (BINARY, b"hello"), (PING, b""), (PONG, b"x"),
                   (CLOSE, b""), (CLOSE, close_payload(1000)), (TEXT, LETTERS[:126]),
                   (TEXT, LETTERS[:65536])):
    group.add(f"An unmasked frame with opcode {kind} and {len(data)} bytes is refused.",
              fails(1002, a(kind, data, mask=None)))
group.add("An unmasked frame after masked ones is refused.",
          after_echo(1002, a(TEXT, b"bare", mask=None)))
group.add("An unmasked fragment of a masked message is refused.",
          after_echo(1002, a(TEXT, b"one", fin=False), a(CONTINUATION, b"two", mask=None)))

group = Group("1.5", "RFC 6455 §5.3")
group.add("A mask of zeros changes nothing.", echo(TEXT, b"as it is", mask=b"\0\0\0\0"))
group.add("A mask of ones is undone.", echo(TEXT, b"turned over", mask=b"\xff\xff\xff\xff"))
for size in range(1, 9):
    group.add(f"A mask is undone over {size} bytes split at each place.", echo(
        BINARY, BYTES[1:1 + size], chop=7, mask=b"\x01\x20\x83\xf0"))
group.add("Each frame of a message has its own mask.", lambda link: (
    link.send_raw(link.frame(TEXT, b"abc", fin=False, mask=b"\1\2\3\4")
                  + link.frame(CONTINUATION, b"def", fin=False, mask=b"\xff\0\xff\0")
                  + link.frame(CONTINUATION, b"ghi", mask=b"\0\0\0\0")),
    link.expect_message(TEXT, b"abcdefghi"), link.finish()))
group.add("A payload that equals its mask comes back.",
          echo(BINARY, b"\x5a\xa5\x0f\xf0" * 32, mask=b"\x5a\xa5\x0f\xf0"))


def in_two_writes(size, at):
    def body(link):
        frame = link.frame(BINARY, BYTES[:size])
        link.send_raw(frame[:at])
        assert link.wire.is_quiet(0.01), "an answer to half a frame"
        link.send_raw(frame[at:])
        link.expect_message(BINARY, BYTES[:size])
        link.finish()
    return body


group = Group("1.6", "RFC 6455 §5.2")
for size, places in ((5, (1, 2, 4, 6, 8)), (126, (1, 2, 3, 4, 7, 8, 133)),
                     (65536, (1, 2, 6, 9, 10, 13, 14, 65549))):
    for place in places:
        group.add(f"A frame of {size} bytes that stops for a while after its byte {place} comes"
                  " back.", in_two_writes(size, place))


def many_at_once(count, size, chop=None):
    def body(link):
        items = [(b"%d:" % i).ljust(size, b".") for i in range(count)]
        link.send_raw(b"".join(link.frame(TEXT, item) for item in items), chop)
        for item in items:
            link.expect_message(TEXT, item)
        link.finish()
    return body


group = Group("1.7", "RFC 6455 §5.2")
for count, size in ((2, 10), (100, 10), (500, 125), (100, 126), (20, 65536)):
    group.add(f"{count} frames of {size} bytes in one write come back in order.",
              many_at_once(count, size))
    group.add(f"{count} frames of {size} bytes cut at odd places come back in order.",
              many_at_once(count, size, chop=1021))

# ---- 2: pings and pongs


def pinged(*payloads, chop=None):
    def body(link):
        link.send_raw(b"".join(link.frame(PING, payload) for payload in payloads), chop)
        for payload in payloads:
            link.expect_pong(payload)
        link.finish()
    return body


def one_by_one(count, chop=None):
    def body(link):
        for i in range(count):
            link.send(PING, b"payload-%d" % i, chop=chop)
            link.expect_pong(b"payload-%d" % i)
        link.finish()
    return body


group = Group("2.1", "RFC 6455 §5.5.2")
group.add("A ping without payload is answered.", pinged(b""))
group.add("A ping with a text is answered with it.", pinged(b"Hello, world!"))
group.add("A ping with bytes that are no text is answered with them.",
          pinged(bytes([0, 255, 254, 253, 252, 251, 0, 255])))
for size in (1, 124, 125):
    group.add(f"A ping of {size} bytes is answered with them.", pinged(b"\xfe" * size))
group.add("A ping of 125 bytes, each sent alone, is answered once.", pinged(b"\xfe" * 125, chop=1))
group.add("Ten pings, one after the other, are all answered.", one_by_one(10))
group.add("Ten pings, each byte sent alone, are all answered.", one_by_one(10, chop=1))
group.add("A hundred pings, one after the other, are all answered.", one_by_one(100))
group.add("Ten pings in one write are all answered in order.",
          pinged(*(b"payload-%d" % i for i in range(10))))
group.add("Ten pings in a stream of single bytes are all answered in order.",
          pinged(*(b"payload-%d" % i for i in range(10)), chop=1))
group.add("A ping between two texts is answered between them.", lambda link: (
    link.send_raw(link.frame(TEXT, b"one") + link.frame(PING, b"two") + link.frame(TEXT, b"three")),
    link.expect_message(TEXT, b"one"), link.expect_pong(b"two"),
    link.expect_message(TEXT, b"three"), link.finish()))

group = Group("2.2", "RFC 6455 §5.5.3")
for data in (b"", b"unasked", b"\xff" * 125):
    group.add(f"A pong of {len(data)} bytes nobody asked for is taken without an answer.",
              lambda link, d=data: (link.send(PONG, d), link.is_alive(), link.finish()))
group.add("Ten pongs nobody asked for are taken without an answer.", lambda link: (
    link.send_raw(link.frame(PONG, b"x") * 10), link.is_alive(), link.finish()))
group.add("A pong then a ping: only the ping is answered.", lambda link: (
    link.send_raw(link.frame(PONG, b"no") + link.frame(PING, b"yes")),
    link.expect_pong(b"yes"), link.finish()))

group = Group("2.3", "RFC 6455 §5.5")
for kind, name in ((PING, "ping"), (PONG, "pong")):
    for size in (126, 127, 128, 65536):
        group.add(f"A {name} of {size} bytes is refused.", fails(1002, a(kind, LETTERS[:size])))
    group.add(f"A {name} that says it has 126 bytes is refused before all come.",
              fails(1002, lambda link, k=kind: head(k, 126) + b"\0\0\0\0x"))
    group.add(f"A {name} that is a fragment is refused.", fails(1002, a(kind, b"x", fin=False)))
    group.add(f"A {name} that is a fragment is refused even when it is continued.",
              fails(1002, a(kind, b"x", fin=False), a(CONTINUATION, b"y")))
    group.add(f"A {name} of 126 bytes, each sent alone, is refused.",
              fails(1002, a(kind, LETTERS[:126]), chop=1))

# ---- 3: reserved bits (without an extension)

for bits in range(1, 8):
    group = Group(f"3.{bits}", "RFC 6455 §5.2")
    group.add(f"A text with reserved bits {bits} is refused.", fails(1002, a(TEXT, b"x", rsv=bits)))
    group.add(f"An empty binary message with reserved bits {bits} is refused.",
              fails(1002, a(BINARY, b"", rsv=bits)))
    group.add(f"A text with reserved bits {bits} after a good one ends it, and a ping behind is"
              " not answered.", after_echo(1002, a(TEXT, b"x", rsv=bits)))
    group.add(f"A text with reserved bits {bits} in single bytes is refused.",
              after_echo(1002, a(TEXT, b"x", rsv=bits), chop=1))
    group.add(f"A ping with reserved bits {bits} is refused.",
              after_echo(1002, a(PING, b"x", rsv=bits)))
    group.add(f"A pong with reserved bits {bits} is refused.",
              after_echo(1002, a(PONG, b"x", rsv=bits)))
    group.add(f"A close with reserved bits {bits} is refused.",
              fails(1002, a(CLOSE, close_payload(1000), rsv=bits)))
    group.add(f"A continuation with reserved bits {bits} is refused.",
              after_echo(1002, a(TEXT, b"x", fin=False), a(CONTINUATION, b"y", rsv=bits)))
    group.add(f"Reserved bits {bits} are refused before the rest comes.",
              fails(1002, lambda link, b=bits: head(BINARY, 1000, rsv=b) + b"\0\0\0\0x"))

# ---- 4: opcodes

for number, opcodes in ((1, range(3, 8)), (2, range(11, 16))):
    for opcode in opcodes:
        group = Group(f"4.{number}.{opcode}", "RFC 6455 §5.2")
        group.add(f"Opcode {opcode} without payload is refused.", fails(1002, a(opcode)))
        group.add(f"Opcode {opcode} with a payload is refused.",
                  fails(1002, a(opcode, b"reserved opcode")))
        group.add(f"Opcode {opcode} after a good text ends it, and a ping behind is not answered.",
                  after_echo(1002, a(opcode)))
        group.add(f"Opcode {opcode} with a payload in single bytes is refused.",
                  after_echo(1002, a(opcode, b"x" * 20), chop=1))
        group.add(f"Opcode {opcode} between the fragments of a message is refused.",
                  after_echo(1002, a(TEXT, b"one", fin=False), a(opcode, b"two"),
                             a(CONTINUATION, b"three")))

assert masked(masked(b"abcde", b"1234"), b"1234") == b"abcde"
