"""Category 7: the closing handshake (RFC 6455 §5.5.1, §7)."""

from client import (BINARY, CLOSE, CONTINUATION, PING, TEXT, close_payload, require)
from registry import Group

from cases.framing import LETTERS, a, after_echo, fails


def ends(*steps, code=1000, chop=None, echoes=()):
    """A body: frames in one write, one of which closes; nothing after it is answered."""
    def body(link):
        link.close_sent = True
        link.send_raw(b"".join(step(link) for step in steps), chop)
        for opcode, payload in echoes:
            link.expect_message(opcode, payload)
        link.expect_closed(*(code if isinstance(code, tuple) else (code,)))
    return body


def answered(payload, *codes, chop=None, pace=0.0):
    def body(link):
        link.send(CLOSE, payload, chop=chop, pace=pace)
        link.expect_closed(*codes)
    return body


NORMAL = close_payload(1000)

group = Group("7.1", "RFC 6455 §7.1.2")
group.add("After an echo a close is answered.",
          ends(a(TEXT, b"Hello"), a(CLOSE, NORMAL), echoes=[(TEXT, b"Hello")]))
group.add("Two closes are answered once.", ends(a(CLOSE, NORMAL), a(CLOSE, NORMAL)))
group.add("A ping after a close is not answered.", ends(a(CLOSE, NORMAL), a(PING, b"late")))
group.add("A text after a close is not echoed.", ends(a(CLOSE, NORMAL), a(TEXT, b"late")))
group.add("A broken frame after a close changes nothing.",
          ends(a(CLOSE, NORMAL), a(3, b"late", rsv=7)))
group.add("Bytes that are no frames after a close change nothing.",
          ends(a(CLOSE, NORMAL), lambda link: b"\xff" * 300))
group.add("An unfinished message is forgotten when a close comes.",
          ends(a(TEXT, b"one", fin=False), a(CLOSE, NORMAL), a(CONTINUATION, b"two")))
group.add("A close after 256 KiB comes after their echo.", ends(
    a(TEXT, b"B" * 262144), a(CLOSE, NORMAL), a(PING, b"late"), echoes=[(TEXT, b"B" * 262144)]))
group.add("A close in single bytes is answered.", ends(a(CLOSE, NORMAL), chop=1))
group.add("A close right after a hundred texts comes after their echoes.", ends(
    *(a(TEXT, b"%d" % i) for i in range(100)), a(CLOSE, NORMAL),
    echoes=[(TEXT, b"%d" % i) for i in range(100)]))
group.add("A close that needs its time is answered.",
          answered(close_payload(1000, b"slowly"), 1000, chop=1, pace=0.002))

group = Group("7.2", "RFC 6455 §7.1.5")


def half_closed(*steps):
    """A body: TCP is ended on this side after `steps`; the server ends its side too."""
    def body(link):
        link.send_raw(b"".join(step(link) for step in steps))
        link.wire.shut_down()
        while not link.wire.eof:
            if link.wire.fill(len(link.wire.received) + 1):
                require(len(link.wire.received) < 1000, "it went on and on")
    return body


group.add("The end of the stream after a close: it is answered and TCP is closed.", lambda link: (
    link.send(CLOSE, NORMAL), link.wire.shut_down(), link.expect_closed(1000)))
group.add("The end of the stream without a close: TCP is closed.", half_closed())
group.add("The end of the stream inside a header: TCP is closed.",
          half_closed(lambda link: b"\x81"))
group.add("The end of the stream inside a frame: TCP is closed.",
          half_closed(lambda link: link.frame(TEXT, b"hello")[:-2]))
group.add("The end of the stream inside a message: TCP is closed.",
          half_closed(a(TEXT, b"one", fin=False)))

group = Group("7.3", "RFC 6455 §5.5.1")
group.add("A close without payload is answered.", answered(b"", None, 1000))
group.add("A close without payload in single bytes is answered.", answered(b"", None, 1000, chop=1))
for byte in (b"\x03", b"\x00", b"a"):
    group.add(f"A close with the one byte {byte!r} is refused.", fails(1002, a(CLOSE, byte)))
group.add("A close with a code alone is answered with it.", answered(NORMAL, 1000))
group.add("A close with a code and a reason is answered with the code.",
          answered(close_payload(1000, b"Hello World!"), 1000))
group.add("A close with a reason in many scripts is answered.",
          answered(close_payload(1000, "Привет, 世界 🌊".encode()), 1000))
group.add("A close with a reason of 123 bytes is answered.",
          answered(close_payload(1000, b"*" * 123), 1000))
group.add("A close with a reason of 123 bytes in single bytes is answered.",
          answered(close_payload(1000, b"*" * 123), 1000, chop=1))
for size in (124, 200, 65536):
    group.add(f"A close with a reason of {size} bytes is refused.",
              fails(1002, a(CLOSE, close_payload(1000, LETTERS[:size]))))
group.add("A close that is a fragment is refused.", fails(1002, a(CLOSE, NORMAL, fin=False)))
group.add("A close that is a fragment is refused though it is continued.",
          fails(1002, a(CLOSE, NORMAL, fin=False), a(CONTINUATION, b"reason")))
group.add("A close that is a continuation is none.", lambda link: (
    link.send_fragments(BINARY, [b"x", NORMAL]),
    link.expect_message(BINARY, b"x" + NORMAL), link.finish()))

BAD_REASONS = (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"abc\x80def",
               b"half \xe2\x82", "κόσμε".encode() + b"\xed\xa0\x80edited", b"\xce\xba\xce",
               b"z" * 122 + b"\xff", b"\xc3")
group = Group("7.5", "RFC 6455 §5.5.1")
for number, reason in enumerate(BAD_REASONS, 1):
    data = close_payload(1000, reason)
    group.add(f"A reason that is not UTF-8 ({number}) is refused.", fails(1007, a(CLOSE, data)))
    group.add(f"A reason that is not UTF-8 ({number}) in single bytes is refused.",
              fails(1007, a(CLOSE, data), chop=1))


def cut(data, at):
    def body(link):
        frame = link.frame(CLOSE, data)
        link.send_raw(frame[:at])
        # From its ninth byte on the reason is known to be wrong and may be refused at once.
        is_quiet = link.wire.is_quiet(0.02)
        require(is_quiet or at > 8, "an answer to half a close frame")
        link.send_raw(frame[at:])
        link.expect_failure(1007)
    return body


def cut_and_good(data, at):
    def body(link):
        link.close_sent = True
        frame = link.frame(CLOSE, data)
        link.send_raw(frame[:at])
        require(link.wire.is_quiet(0.02), "an answer to half a close frame")
        link.send_raw(frame[at:])
        link.expect_closed(1000)
    return body


for at in range(1, 14):
    group.add(f"A reason that is not UTF-8, the frame stopping after its byte {at}, is refused.",
              cut(close_payload(1000, b"\xff\x80a\xffb\xff"), at))
for at in range(9, 12):
    group.add(f"A reason cut inside a character after byte {at} of the frame is answered.",
              cut_and_good(close_payload(1000, "🌊".encode()), at))



def at_border(border, inside):
    """A body: a message and a close in one write, so that a character of the reason lies across
    the byte `border`, where a server's buffer may end; `inside` of its bytes are before it."""
    def body(link):
        link.close_sent = True
        filler = LETTERS[:border - 8 - 8 - inside]
        link.send_raw(link.frame(BINARY, filler)
                      + link.frame(CLOSE, close_payload(1000, "🌊".encode())))
        link.expect_message(BINARY, filler)
        link.expect_closed(1000)
    return body


for border in (4096, 8192, 16384, 32768, 65536):
    for inside in (1, 2, 3):
        group.add(f"A reason whose character has {inside} of its bytes before byte {border} of one"
                  " write is answered.", at_border(border, inside))

group = Group("7.7", "RFC 6455 §7.4")
for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3001,
             3500, 3999, 4000, 4001, 4500, 4999):
    group.add(f"The code {code} is answered with itself.", answered(close_payload(code), code))
    group.add(f"The code {code} with a reason is answered with itself.",
              answered(close_payload(code, b"reason"), code, chop=3))

group = Group("7.9", "RFC 6455 §7.4")
for code in (0, 1, 500, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2500, 2999, 5000,
             5001, 10000, 32768, 65535):
    group.add(f"The code {code} may not be sent.", fails(1002, a(CLOSE, close_payload(code))))
    group.add(f"The code {code} may not be sent with a reason either.",
              after_echo(1002, a(CLOSE, close_payload(code, b"reason"))))
