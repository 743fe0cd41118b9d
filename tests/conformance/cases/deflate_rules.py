"""Category 15: what compression allows in frames, and data that are no DEFLATE
(RFC 7692 §6, §7.2)."""

import random
import zlib

from client import (BINARY, CLOSE, CONTINUATION, PING, PONG, RSV1, RSV2, RSV3, TEXT, close_payload,
                    head)
from registry import Group

from cases.framing import a, after_echo, fails
from cases.limits import with_limit

PMD = "permessage-deflate"
FRESH = f"{PMD}; client_no_context_takeover"
HELLO = bytes((0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00))  # the RFC's "Hello"


def deflated(payload, level=6, strategy=zlib.Z_DEFAULT_STRATEGY, flush=zlib.Z_SYNC_FLUSH, bits=15):
    maker = zlib.compressobj(level, zlib.DEFLATED, -bits, 8, strategy)
    data = maker.compress(payload) + maker.flush(flush)
    return data[:-4] if flush == zlib.Z_SYNC_FLUSH else data


def reads(data, text, opcode=TEXT, pieces=None, times=1):
    """A body: compressed `data`, in fragments of `pieces` bytes, are understood as `text`."""
    def body(link):
        for _ in range(times):
            step = pieces or len(data) or 1
            link.send_fragments(opcode, [data[i:i + step] for i in range(0, len(data), step)]
                                or [b""], rsv=RSV1)
            link.expect_message(opcode, text)
        link.finish()
    return body


def refuses(code, data, opcode=TEXT, fin=True, pieces=None):
    def body(link):
        step = pieces or len(data) or 1
        frames = link.fragments(opcode, [data[i:i + step] for i in range(0, len(data), step)]
                                or [b""], rsv=RSV1) if fin else [
                                    link.frame(opcode, data, fin=False, rsv=RSV1)]
        link.send_raw(b"".join(frames))
        link.expect_failure(code)
    return body


# ---- 15.1: RSV1

group = Group("15.1", "RFC 7692 §6.1", offer=PMD, needs_deflate=True)
for kind, data, name in ((PING, b"x", "ping"), (PONG, b"x", "pong"),
                         (CLOSE, close_payload(1000), "close")):
    group.add(f"RSV1 on a {name} is refused.", fails(1002, a(kind, data, rsv=RSV1)))
    group.add(f"RSV1 on a {name} between compressed fragments is refused.", after_echo(
        1002, a(TEXT, HELLO[:3], fin=False, rsv=RSV1), a(kind, data, rsv=RSV1)))
group.add("RSV1 on the continuation of a compressed message is refused.", after_echo(
    1002, a(TEXT, HELLO[:3], fin=False, rsv=RSV1), a(CONTINUATION, HELLO[3:], rsv=RSV1)))
group.add("RSV1 on a continuation in the middle of a compressed message is refused.", after_echo(
    1002, a(TEXT, HELLO[:3], fin=False, rsv=RSV1),
    a(CONTINUATION, HELLO[3:5], fin=False, rsv=RSV1), a(CONTINUATION, HELLO[5:])))
group.add("RSV1 on the continuation of a plain message is refused.", after_echo(
    1002, a(TEXT, b"plain", fin=False), a(CONTINUATION, HELLO, rsv=RSV1)))
group.add("RSV1 on a continuation of nothing is refused.",
          after_echo(1002, a(CONTINUATION, HELLO, rsv=RSV1)))
group.add("RSV1 on a continuation is refused before the rest of it comes.", lambda link: (
    link.send(TEXT, HELLO[:3], fin=False, rsv=RSV1),
    link.send_raw(head(CONTINUATION, 10, rsv=RSV1) + b"\0\0\0\0x"), link.expect_failure(1002)))
for bits in (RSV2, RSV3, RSV2 | RSV3, RSV1 | RSV2, RSV1 | RSV3, 7):
    group.add(f"Reserved bits {bits} on a text are refused though compression was agreed.",
              after_echo(1002, a(TEXT, HELLO, rsv=bits)), section="RFC 6455 §5.2")
    group.add(f"Reserved bits {bits} on a ping are refused though compression was agreed.",
              after_echo(1002, a(PING, b"", rsv=bits)), section="RFC 6455 §5.2")
for opcode in (3, 7, 11, 15):
    group.add(f"Opcode {opcode} with RSV1 is refused though compression was agreed.",
              after_echo(1002, a(opcode, HELLO, rsv=RSV1)), section="RFC 6455 §5.2")
group.add("A text inside a compressed message is refused.", after_echo(
    1002, a(TEXT, HELLO[:3], fin=False, rsv=RSV1), a(TEXT, HELLO, rsv=RSV1)),
    section="RFC 6455 §5.4")
group.add("A plain text is taken though compression was agreed.", lambda link: (
    link.send(TEXT, b"plain"), link.expect_message(TEXT, b"plain"), link.finish()),
    section="RFC 7692 §6")
group.add("A plain text in fragments is taken though compression was agreed.", lambda link: (
    link.send_fragments(TEXT, [b"pl", b"ai", b"n"]), link.expect_message(TEXT, b"plain"),
    link.finish()), section="RFC 7692 §6")
group.add("A plain empty text is taken though compression was agreed.", lambda link: (
    link.send(TEXT, b""), link.expect_message(TEXT, b""), link.finish()), section="RFC 7692 §6")
group.add("A ping between compressed fragments is answered before the message.", lambda link: (
    link.send_raw(link.frame(TEXT, HELLO[:3], fin=False, rsv=RSV1) + link.frame(PING, b"now")
                  + link.frame(CONTINUATION, HELLO[3:])),
    link.expect_pong(b"now"), link.expect_message(TEXT, b"Hello"), link.finish()))

unagreed = Group("15.2", "RFC 6455 §5.2")
unagreed.add("RSV1 on a text without an agreement is refused.",
             after_echo(1002, a(TEXT, HELLO, rsv=RSV1)))
unagreed.add("RSV1 on a binary message without an agreement is refused.",
             after_echo(1002, a(BINARY, HELLO, rsv=RSV1)))
unagreed.add("RSV1 after a declined offer is refused.", lambda link: (
    link.send(TEXT, HELLO, rsv=RSV1), link.expect_failure(1002)), offer=f"{PMD}; unknown")

# ---- 15.3: forms of DEFLATE a peer may choose

group = Group("15.3", "RFC 7692 §7.2.3", offer=FRESH, needs_deflate=True)
LONG = b'{"a": [1, 2, 3], "b": "tide"}' * 300
group.add("The RFC's example is understood.", reads(HELLO, b"Hello"),
          section="RFC 7692 §7.2.3.1")
group.add("The RFC's example in two fragments is understood.", reads(HELLO, b"Hello", pieces=3),
          section="RFC 7692 §7.2.3.1")
group.add("The RFC's example, a fragment for each byte, is understood.",
          reads(HELLO, b"Hello", pieces=1), section="RFC 7692 §7.2.3.1")
group.add("A stored block is understood.",
          reads(b"\x00\x05\x00\xfa\xffHello\x00", b"Hello"), section="RFC 7692 §7.2.3.3")
group.add("A final block is understood.",
          reads(b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", b"Hello"), section="RFC 7692 §7.2.3.4")
group.add("A final block in every message is understood.",
          reads(b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", b"Hello", times=5),
          section="RFC 7692 §7.2.3.4")
group.add("Two blocks in one message are understood.", reads(
    b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", b"Hello"),
    section="RFC 7692 §7.2.3.5")
group.add("Two blocks, a fragment for each byte, are understood.", reads(
    b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", b"Hello", pieces=1),
    section="RFC 7692 §7.2.3.5")
group.add("An empty message of one zero byte is understood.", reads(b"\x00", b"", times=3),
          section="RFC 7692 §7.2.3.6")
group.add("An empty message of an empty block of fixed codes is understood.",
          reads(b"\x02\x00", b""), section="RFC 7692 §7.2.3.6")
for level in range(10):
    group.add(f"What zlib makes at level {level} is understood.",
              reads(deflated(LONG, level), LONG))
for name, strategy in (("fixed codes", zlib.Z_FIXED), ("Huffman codes alone", zlib.Z_HUFFMAN_ONLY),
                       ("runs", zlib.Z_RLE), ("filtered data", zlib.Z_FILTERED)):
    group.add(f"What zlib makes with {name} is understood.",
              reads(deflated(LONG, strategy=strategy), LONG))
group.add("A final block of a finished stream and a zero byte are understood.",
          reads(deflated(LONG, flush=zlib.Z_FINISH) + b"\x00", LONG), section="RFC 7692 §7.2.3.4")
group.add("Two finished streams in one message are understood.", reads(
    deflated(b"one ", flush=zlib.Z_FINISH) + deflated(b"two", flush=zlib.Z_FINISH) + b"\x00",
    b"one two"), section="RFC 7692 §7.2.3.4")
group.add("Empty stored blocks before the data are understood.",
          reads(b"\x00\x00\x00\xff\xff" * 20 + HELLO, b"Hello"), section="RFC 7692 §7.2.3.5")
group.add("A full flush inside a message is understood.", reads(
    (lambda m: m.compress(b"one ") + m.flush(zlib.Z_FULL_FLUSH) + m.compress(b"two")
     + m.flush(zlib.Z_SYNC_FLUSH)[:-4])(zlib.compressobj(6, zlib.DEFLATED, -15)), b"one two"))
group.add("An empty fragment before, between and after compressed ones changes nothing.",
          lambda link: (link.send_fragments(TEXT, [b"", HELLO[:4], b"", HELLO[4:], b""], rsv=RSV1),
                        link.expect_message(TEXT, b"Hello"), link.finish()))
for step in (1, 2, 3, 7, 64):
    group.add(f"Compressed JSON in fragments of {step} bytes is understood.",
              reads(deflated(LONG), LONG, pieces=step))

kept = Group("15.4", "RFC 7692 §7.1.1.2", offer=PMD, needs_deflate=True)


def keeps_context(link):
    """The second "Hello" of the RFC refers to the first, where the client may keep its context."""
    link.send(TEXT, HELLO, rsv=RSV1)
    link.expect_message(TEXT, b"Hello")
    if link.agreed.client_keeps:
        link.send(TEXT, b"\xf2\x00\x11\x00\x00", rsv=RSV1)
    else:
        link.send(TEXT, HELLO, rsv=RSV1)
    link.expect_message(TEXT, b"Hello")
    link.finish()


def refers_without_context(link):
    """A reference to another message is refused where no context is kept."""
    link.send(TEXT, HELLO, rsv=RSV1)
    link.expect_message(TEXT, b"Hello")
    if link.agreed.client_keeps:
        link.finish()
        return
    link.send(TEXT, b"\xf2\x00\x11\x00\x00", rsv=RSV1)
    link.expect_failure(1007)


def context_over_final_block(link):
    """A final block ends a stream of zlib's, not the context."""
    if not link.agreed.client_keeps:
        link.finish()
        return
    link.send(TEXT, b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", rsv=RSV1)
    link.expect_message(TEXT, b"Hello")
    link.send(TEXT, b"\xf2\x00\x11\x00\x00", rsv=RSV1)
    link.expect_message(TEXT, b"Hello")
    link.finish()


kept.add("A message refers to the one before where contexts are kept.", keeps_context,
         section="RFC 7692 §7.2.3.2")
kept.add("A message refers to the one before, which ended with a final block.",
         context_over_final_block, section="RFC 7692 §7.2.3.4")
kept.add("A reference to another message is refused where it was agreed to keep none.",
         refers_without_context)

# ---- 15.5: no DEFLATE

RANDOM = random.Random(7692).randbytes(2000)
group = Group("15.5", "RFC 7692 §7.2.2", offer=FRESH, needs_deflate=True)
BROKEN = (
    ("a block of the reserved type", b"\x07\x00"),
    ("a block of the reserved type, final", b"\x06\x00"),
    ("a stored block whose lengths disagree", b"\x00\x05\x00\x00\x00Hello\x00"),
    ("a distance past the beginning", b"\xf2\x00\x11\x00\x00"),
    ("a dynamic block with too many codes", b"\xfd\xff\xff\xff\xff"),
    ("a dynamic block with broken lengths", b"\x04\x00\xfe\xff"),
    ("plain text", b"this is not compressed at all"),
    ("JSON", b'{"not": "compressed"}'),
    ("gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + deflated(b"Hello")),
    ("zlib's own header", zlib.compress(b"Hello" * 20)),
    ("FF bytes", b"\xff" * 32),
    ("random bytes", b"\xff" + RANDOM),
)
for name, data in BROKEN:
    group.add(f"A message of {name} is refused.", refuses(1007, data, BINARY))
    group.add(f"A message of {name}, a fragment for each byte, is refused.",
              refuses(1007, data, BINARY, pieces=1))
for name, data in (("no byte", b""), ("a stored block cut short", b"\x00\x05\x00\xfa\xffHel"),
                   ("a block cut inside its codes", deflated(LONG)[:40]),
                   ("a block cut in its head", deflated(LONG)[:3]),
                   ("half of a message", deflated(LONG)[:len(deflated(LONG)) // 2])):
    group.add(f"A message of {name} is refused when it ends.", refuses(1007, data, BINARY))
group.add("Broken data are refused in the first fragment, before the message ends.",
          refuses(1007, b"\x07\x00\x00\x00", BINARY, fin=False))
group.add("Broken data after good data in one message are refused.",
          refuses(1007, deflated(LONG) + b"\x00\x00\xff\xff\x07\x00", BINARY))
group.add("A ping after broken data is not answered.",
          after_echo(1007, a(BINARY, b"\x07\x00", rsv=RSV1)))

# ---- 15.6: UTF-8 after inflating

group = Group("15.6", "RFC 6455 §8.1", offer=FRESH, needs_deflate=True)
for name, bad in (("FF", b"good \xff bad"), ("a surrogate", b"good \xed\xa0\x80 bad"),
                  ("an overlong form", b"good \xc0\xaf bad"),
                  ("half a character", b"good \xe2\x82"),
                  ("a code point past the last", b"\xf4\x90\x80\x80")):
    group.add(f"A compressed text with {name} is refused.", refuses(1007, deflated(bad)))
    group.add(f"A compressed text with {name}, a fragment for each byte, is refused.",
              refuses(1007, deflated(bad), pieces=1))
    group.add(f"A compressed binary message with {name} comes back.",
              reads(deflated(bad), bad, BINARY))
group.add("A compressed text that is not UTF-8 is refused before it ends.",
          refuses(1007, deflated(b"good \xff bad") + b"\x00\x00\xff\xff", fin=False))
group.add("A character over two compressed fragments is fine.", lambda link: (
    link.send_fragments(TEXT, [deflated(b"\xf0\x9f") + b"\x00\x00\xff\xff",
                               deflated(b"\x8c\x8a")], rsv=RSV1),
    link.expect_message(TEXT, "🌊".encode()), link.finish()))
group.add("A compressed text need not be UTF-8 before inflating.",
          reads(deflated("größer 🌊 ".encode() * 50), "größer 🌊 ".encode() * 50))

# ---- 15.7: size

group = Group("15.7", "RFC 7692 §8", is_raw=True, is_heavy=True)


def with_deflate(body):
    return with_limit(body, FRESH)


def half_random(size):
    digits = random.Random(size).randbytes(65536).hex().encode()
    return (digits * (size // len(digits) + 1))[:size]


def large(link, limit):
    payload = half_random(limit)
    link.send(BINARY, deflated(payload), rsv=RSV1)
    link.expect_message(BINARY, payload)
    link.finish()


def inflates_past(link, limit):
    link.send(BINARY, deflated(half_random(limit + 1)), rsv=RSV1)
    link.expect_failure(1009)


def inflates_past_in_fragments(link, limit):
    data = deflated(half_random(limit + 1))
    link.send_fragments(BINARY, [data[i:i + 65536] for i in range(0, len(data), 65536)], rsv=RSV1)
    link.expect_failure(1009)


def bomb(link, limit):
    link.send(BINARY, deflated(bytes(limit * 8), level=9), rsv=RSV1)
    link.expect_failure(1009)


def says_too_much(link, limit):
    link.send_raw(head(BINARY, limit * 2, rsv=RSV1) + b"\0\0\0\0x")
    link.expect_failure(1009)


group.add("A compressed message of exactly the limit comes back.", with_deflate(large))
group.add("A compressed message that inflates a byte past the limit is refused.",
          with_deflate(inflates_past))
group.add("A compressed message in fragments that inflates a byte past the limit is refused.",
          with_deflate(inflates_past_in_fragments))
group.add("A compressed message that inflates to eight times the limit is refused.",
          with_deflate(bomb))
group.add("A compressed frame that says it is twice the limit is refused before all of it comes.",
          with_deflate(says_too_much))
