"""The gateway's frame handling against another implementation's: Debian's python3-websockets.

The same stream of bytes goes to the gateway's echo and through that library's frame parser (no
sockets in it). Both must deliver the same messages and end with the same close code. Streams are
seeded: valid conversations, and the same with faults in them. Where the two differ and both may,
a row of TOLERATED says so; a difference that no row explains fails, and so does a row that
explains nothing any more.
"""

import codecs
import random
import socket
import struct
import zlib

from websockets import connection, frames
from websockets.extensions import permessage_deflate

from support import cases, gateway, httpraw, wsraw

MESSAGE_MAX = 4096
SEED = 20
PATIENCE = 0.7  # seconds for what should come at once
TIMEOUT = 10.0
PLAIN_STREAMS = 500
DEFLATED_STREAMS = 300
TEXTS = ["", "a", "hello, world", "caf\u00e9 \u20ac \U0001f600", "x" * 125, "y" * 126, "z" * 127,
         "\u00e9" * 300]
SPLIT_TEXT = "ab\u00e9\u20ac\U0001f600"


class Outcome:
    """What came of a stream: data messages, pongs, and how it ended."""

    def __init__(self):
        self.messages = []  # (opcode, bytes)
        self.pongs = []
        self.end = "open"   # no close frame; or its code (None: none in it); or "never"

    def __repr__(self):
        shown = [(opcode, data[:40], len(data)) for opcode, data in self.messages]
        return f"{shown} pongs {self.pongs} end {self.end}"


# ---- the other implementation ---------------------------------------------------------------


def expected(stream, deflated):
    """What python3-websockets makes of it. Its parser gives frames; putting messages together and
    decoding text is its user's part, done here with Python's own decoder."""
    outcome = Outcome()
    extensions = [permessage_deflate.PerMessageDeflate(True, True, 15, 15)] if deflated else []
    peer = connection.Connection(connection.Side.SERVER, connection.State.OPEN,
                                 max_size=MESSAGE_MAX)
    peer.extensions = extensions
    peer.receive_data(stream)
    opcode, parts, decoder = None, [], None
    for frame in peer.events_received():
        if frame.opcode is frames.OP_PING:
            outcome.pongs.append(bytes(frame.data))
        elif frame.opcode in frames.DATA_OPCODES:
            if frame.opcode is not frames.OP_CONT:
                opcode, parts = frame.opcode, []
                decoder = codecs.getincrementaldecoder("utf-8")()
            parts.append(bytes(frame.data))
            try:
                if opcode is frames.OP_TEXT:
                    decoder.decode(frame.data, frame.fin)
            except UnicodeDecodeError:
                outcome.end = 1007
                return outcome
            if frame.fin:
                outcome.messages.append((int(opcode), b"".join(parts)))
    close = peer.close_sent
    if close is not None:
        outcome.end = None if close.code == 1005 else close.code
    return outcome


# ---- the gateway ----------------------------------------------------------------------------


def inflate(data):
    engine = zlib.decompressobj(-15)
    return engine.decompress(data + b"\0\0\xff\xff")


def read_frame(peer):
    """(opcode, payload) of a frame of the gateway, inflated where it is compressed."""
    first, second = peer.connection.read_exactly(2)
    assert first & 0x80 and not first & 0x30 and not second & 0x80, (first, second)
    size = second & 0x7F
    if size == 126:
        size, = struct.unpack("!H", peer.connection.read_exactly(2))
    elif size == 127:
        size, = struct.unpack("!Q", peer.connection.read_exactly(8))
    payload = peer.connection.read_exactly(size)
    return first & 0x0F, inflate(payload) if first & 0x40 else payload


def seen(address, stream, wanted, deflated, source):
    """What the gateway makes of it, sent in random pieces. Where nothing ends the connection, the
    reading stops when as much came as is wanted."""
    outcome = Outcome()
    headers = [("Sec-WebSocket-Extensions", "permessage-deflate")] if deflated else []
    with wsraw.WebSocket(address, "/echo", headers, timeout=PATIENCE) as peer:
        assert ("sec-websocket-extensions" in peer.headers) == deflated, peer.headers
        try:
            for piece in pieces(stream, source):
                peer.connection.send(piece)
        except OSError:
            pass  # it closed; what it said before can still be read
        if not read_until_close(peer, outcome, wanted):
            # Nothing ended it: it must also end without another word.
            peer.connection.socket.shutdown(socket.SHUT_WR)
            peer.connection.socket.settimeout(TIMEOUT)
            read_until_close(peer, outcome, None)
    return outcome


def read_until_close(peer, outcome, wanted):
    """True when the connection ended. False when `wanted` came, which has no end, or when nothing
    more comes."""
    while wanted is None or wanted.end != "open" or is_less(outcome, wanted):
        try:
            opcode, payload = read_frame(peer)
        except TimeoutError:
            if wanted is None:
                outcome.end = "never"
            return False
        except OSError:
            return True
        if opcode == wsraw.CLOSE:
            outcome.end = struct.unpack("!H", payload[:2])[0] if payload else None
            return True
        if opcode == wsraw.PONG:
            outcome.pongs.append(payload)
        else:
            outcome.messages.append((opcode, payload))
    return False


def is_less(outcome, wanted):
    return (len(outcome.messages) < len(wanted.messages)
            or outcome.pongs[-1:] != wanted.pongs[-1:])


def pieces(stream, source):
    style = source.randrange(4)
    at = 0
    while at < len(stream):
        size = {0: len(stream), 1: source.randint(1, 12), 2: source.randint(1, 400),
                3: source.choice([1, 2, 14, len(stream)])}[style]
        size = max(size, len(stream) // 60)
        yield stream[at:at + size]
        at += size


# ---- streams --------------------------------------------------------------------------------


def frame(source, opcode, payload=b"", masked=True, **options):
    """wsraw's frame, with a mask that is seeded like everything else here."""
    plain = wsraw.frame(opcode, payload, masked=False, **options)
    if not masked:
        return plain
    head = bytearray(plain[:len(plain) - len(payload)])
    head[1] |= 0x80
    mask = source.randbytes(4)
    return bytes(head) + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def deflate(data, source):
    engine = zlib.compressobj(source.randint(0, 9), zlib.DEFLATED, -source.randint(9, 15), 8,
                              source.choice([zlib.Z_DEFAULT_STRATEGY, zlib.Z_FIXED,
                                             zlib.Z_HUFFMAN_ONLY]))
    done = engine.compress(data) + engine.flush(zlib.Z_SYNC_FLUSH)
    return done[:-4]


def message(source, deflated):
    """One data message as frames, perhaps fragmented, perhaps with control frames inside."""
    opcode = source.choice([wsraw.TEXT, wsraw.BINARY])
    if opcode == wsraw.TEXT:
        data = source.choice(TEXTS + [SPLIT_TEXT] * 3).encode()
    else:
        data = source.randbytes(source.choice([0, 1, 5, 125, 126, 300, 2000]))
    reserved = 0
    if deflated and source.random() < 0.8:
        data, reserved = deflate(data, source), 4
    cuts = sorted(source.randint(0, len(data)) for _ in range(source.choice([0, 0, 1, 2, 5])))
    parts = [data[a:b] for a, b in zip([0] + cuts, cuts + [len(data)])]
    out = b""
    for index, part in enumerate(parts):
        first, last = index == 0, index == len(parts) - 1
        out += frame(source, opcode if first else wsraw.CONTINUATION, part, fin=last,
                           reserved=reserved if first else 0)
        if not last and source.random() < 0.3:
            out += control(source)
    return out


def control(source):
    return frame(source, source.choice([wsraw.PING, wsraw.PONG]),
                       source.randbytes(source.choice([0, 1, 8, 125])))


def close(source):
    return frame(source, wsraw.CLOSE, source.choice([
        b"", wsraw.close_payload(1000), wsraw.close_payload(1001, b"bye"),
        wsraw.close_payload(3000, "caf\u00e9 \u20ac".encode()),
        wsraw.close_payload(4999, b"r" * 123)]))


def fault(source, deflated):
    """A frame that breaks a rule, or might."""
    kinds = [
        lambda: frame(source, source.choice([3, 4, 5, 6, 7, 11, 12, 13, 14, 15]), b"x"),
        lambda: frame(source, wsraw.TEXT, b"x", reserved=source.randint(1, 7)),
        lambda: frame(source, wsraw.TEXT, b"x", masked=False),
        lambda: frame(source, wsraw.PING, b"p" * 126),
        lambda: frame(source, wsraw.PING, b"p", fin=False),
        lambda: frame(source, wsraw.CONTINUATION, b"c"),
        lambda: frame(source, wsraw.TEXT, b"a", fin=False) + frame(source, wsraw.TEXT, b"b"),
        lambda: frame(source, wsraw.TEXT, source.choice([b"\xff", b"a\xc3", b"\xed\xa0\x80",
                                                       b"\xf4\x90\x80\x80", b"\xc0\xaf"])),
        lambda: frame(source, wsraw.TEXT, b"\xe2\x82", fin=False) + frame(source, 0, b"x"),
        lambda: frame(source, wsraw.BINARY, b"b" * (MESSAGE_MAX + source.randint(-1, 1))),
        lambda: (frame(source, wsraw.BINARY, b"b" * MESSAGE_MAX, fin=False)
                 + frame(source, 0, b"b" * source.randint(0, 1))),
        lambda: frame(source, wsraw.CLOSE, wsraw.close_payload(source.choice(
            [0, 999, 1004, 1005, 1006, 1012, 1013, 1014, 1015, 1016, 1100, 2000, 2999, 5000,
             65535]))),
        lambda: frame(source, wsraw.CLOSE, b"\x03"),
        lambda: frame(source, wsraw.CLOSE, wsraw.close_payload(1000, b"\xff\xfe")),
        lambda: b"\x82\xfe\x00\x05" + bytes(4) + b"short",
        lambda: b"\x82\xff" + struct.pack("!Q", 1 << 63) + bytes(4),
        lambda: b"",
    ]
    if deflated:
        kinds += [
            lambda: frame(source, wsraw.TEXT, b"\x07\xff", reserved=4),
            lambda: frame(source, wsraw.BINARY, deflate(bytes(MESSAGE_MAX + 1), source),
                          reserved=4),
            lambda: frame(source, wsraw.BINARY, deflate(bytes(MESSAGE_MAX), source), reserved=4),
            lambda: frame(source, wsraw.TEXT, deflate(b"a\xff", source), reserved=4),
            lambda: frame(source, wsraw.PING, b"p", reserved=4),
            lambda: (frame(source, wsraw.BINARY, b"b", fin=False)
                     + frame(source, 0, b"c", reserved=4)),
        ]
    return source.choice(kinds)()


def mutate(stream, source):
    stream = bytearray(stream)
    for _ in range(source.randint(1, 3)):
        if not stream:
            break
        at = source.randrange(len(stream))
        kind = source.randrange(4)
        if kind == 0:
            stream[at] ^= 1 << source.randrange(8)
        elif kind == 1:
            stream[at] = source.randrange(256)
        elif kind == 2:
            del stream[at:at + source.randint(1, 4)]
        else:
            stream[at:at] = source.randbytes(source.randint(1, 4))
    return bytes(stream)


def make_stream(source, deflated):
    parts = [message(source, deflated) if source.random() < 0.7 else control(source)
             for _ in range(source.randint(1, 6))]
    what = source.random()
    if what < 0.4:
        parts.insert(source.randint(0, len(parts)), fault(source, deflated))
    if what > 0.7 or source.random() < 0.3:
        parts.append(close(source))
    stream = b"".join(parts)
    return mutate(stream, source) if 0.4 <= what < 0.65 else stream


# ---- differences that are none --------------------------------------------------------------


class Frame:
    """A frame's header as it stands in a stream, right or wrong."""

    def __init__(self, data):
        self.fin, self.reserved, self.opcode = data[0] >> 7, data[0] >> 4 & 7, data[0] & 15
        self.masked, self.length, self.head = data[1] >> 7, data[1] & 127, 2
        self.shortest = True
        if self.length >= 126:
            wide = 2 if self.length == 126 else 8
            self.length = int.from_bytes(data[2:2 + wide].ljust(wide, b"\0"), "big")
            self.head += wide
            self.shortest = self.length >= (126 if wide == 2 else 65536)
        self.head += 4 * self.masked
        self.cut = len(data) < self.head
        self.whole = len(data) >= self.head + self.length


def frames_of(stream):
    """The headers in the stream, as far as they follow each other."""
    found = []
    while len(stream) >= 2:
        header = Frame(stream)
        found.append(header)
        if not header.whole:
            break
        stream = stream[header.head + header.length:]
    return found


def is_text_started(headers):
    """Whether a text message is unfinished before the last frame, or is what that begins."""
    for frame in reversed(headers):
        if frame.opcode in (wsraw.TEXT, wsraw.BINARY):
            return frame.opcode == wsraw.TEXT
    return False


# (name, why both may, what must hold): the oracle's end and the gateway's, and the headers up to
# the first whose frame is not whole. The first row that holds explains the difference.
TOLERATED = [
    ("a length that is not the shortest",
     "RFC 6455 5.2 forbids it; the library takes it.",
     lambda a, b, headers: b == 1002 and any(not f.shortest for f in headers)),
    ("a length of 64 bits with the highest set",
     "RFC 6455 5.2 forbids it: 1002. The library sees a large number: 1009.",
     lambda a, b, headers: (a, b) == (1009, 1002) and any(f.length >> 63 for f in headers)),
    ("a header that is wrong before it is whole",
     "The gateway judges a header when all of it has come; the library two bytes of it.",
     lambda a, b, headers: a == 1002 and b == "open" and headers[-1].cut),
    ("a header that is wrong before its payload is there",
     "The gateway refuses it at the header; the library checks reserved bits, the length of a"
     " control frame and its FIN, and what a continuation continues, when the payload has come.",
     lambda a, b, headers: a == "open" and b == 1002 and not headers[-1].whole),
    ("a header that is wrong and a payload that is too long",
     "Both are true of it: the library tells the length first.",
     lambda a, b, headers: (a, b) == (1009, 1002) and any(
         f.length > MESSAGE_MAX or f.reserved for f in headers)),
    ("a control frame that is longer than the message may still be",
     "The library counts a control frame against the limit of the message it stands in.",
     lambda a, b, headers: a == 1009 and b != 1009 and any(
         f.opcode >= 8 and f.length > 0 for f in headers)),
    ("invalid UTF-8 before its frame is whole",
     "The gateway fails at the byte; the library at the end of the frame.",
     lambda a, b, headers: a == "open" and b == 1007 and not headers[-1].whole
     and is_text_started(headers)),
    ("a close frame inside a fragmented message",
     "RFC 6455 5.4 lets control frames stand there; the library fails with 1002.",
     lambda a, b, headers: a == 1002 and any(f.opcode == wsraw.CLOSE for f in headers)
     and any(not f.fin for f in headers)),
    ("a close frame whose code and reason are both invalid",
     "Both are true of it: the library tells of the reason.",
     lambda a, b, headers: (a, b) == (1007, 1002) and any(
         f.opcode == wsraw.CLOSE and f.length > 2 for f in headers)),
    ("compressed data that is no deflate",
     "RFC 7692 names no code. The library says 1002, the gateway 1007.",
     lambda a, b, headers: (a, b) == (1002, 1007) and any(f.reserved == 4 for f in headers)),
    ("compressed data that is broken, before its frame is whole",
     "The gateway inflates as bytes come.",
     lambda a, b, headers: a == "open" and b in (1007, 1009) and not headers[-1].whole
     and any(f.reserved == 4 for f in headers)),
]


BROKEN = b"\x07\xff"
# For each row a stream that it explains, and whether compression is agreed.
EXAMPLES = {
    "a length that is not the shortest": (
        False, lambda s: b"\x82\xfe\x00\x05" + bytes(4) + b"short"),
    "a length of 64 bits with the highest set": (
        False, lambda s: b"\x82\xff" + struct.pack("!Q", 1 << 63) + bytes(4)),
    "a header that is wrong before it is whole": (False, lambda s: b"\x83\x80\0"),
    "a header that is wrong before its payload is there": (
        False, lambda s: frame(s, wsraw.TEXT, b"abc", reserved=2)[:-1]),
    "a header that is wrong and a payload that is too long": (
        False, lambda s: frame(s, wsraw.TEXT, b"x" * (MESSAGE_MAX + 1), reserved=2)),
    "a control frame that is longer than the message may still be": (
        False, lambda s: frame(s, wsraw.BINARY, b"b" * MESSAGE_MAX, fin=False)
        + frame(s, wsraw.PING, b"p") + frame(s, wsraw.CLOSE)),
    "invalid UTF-8 before its frame is whole": (
        False, lambda s: frame(s, wsraw.TEXT, b"\xffabc")[:-1]),
    "a close frame inside a fragmented message": (
        False, lambda s: frame(s, wsraw.TEXT, b"a", fin=False)
        + frame(s, wsraw.CLOSE, wsraw.close_payload(1000))),
    "a close frame whose code and reason are both invalid": (
        False, lambda s: frame(s, wsraw.CLOSE, wsraw.close_payload(999, b"\xff"))),
    "compressed data that is no deflate": (
        True, lambda s: frame(s, wsraw.BINARY, BROKEN, reserved=4)),
    "compressed data that is broken, before its frame is whole": (
        True, lambda s: frame(s, wsraw.BINARY, BROKEN + bytes(9), reserved=4)[:-1]),
}


def explain(wanted, got, stream):
    """The name of the row that explains the difference, or None."""
    headers = frames_of(stream)
    shortest = min(len(wanted.messages), len(got.messages))
    if wanted.messages[:shortest] != got.messages[:shortest] or not headers:
        return None
    for name, _, holds in TOLERATED:
        if holds(wanted.end, got.end, headers):
            return name
    return None


def is_subsequence(some, all_of_them):
    left = iter(all_of_them)
    return all(item in left for item in some)


class Differential(cases.GatewayCase):
    config = gateway.settings(
        ("websocket.message_size_limit", f"{MESSAGE_MAX}B"), ("websocket.compression", True),
        ("websocket.compression_min_size", "1B"))

    def compare(self, count, deflated):
        """Runs `count` streams; {row: times it explained a difference}."""
        source = random.Random(SEED + deflated)
        explained = dict.fromkeys([name for name, _, _ in TOLERATED], 0)
        ends = {}
        address = self.gateway.address()
        for number in range(count):
            stream = make_stream(source, deflated)
            wanted = expected(stream, deflated)
            got = seen(address, stream, wanted, deflated, source)
            ends[got.end] = ends.get(got.end, 0) + 1
            if wanted.messages == got.messages and wanted.end == got.end:
                # Of pings that wait together only the last need be answered (RFC 6455 5.5.3).
                self.assertTrue(is_subsequence(got.pongs, wanted.pongs), (number, got, wanted))
                continue
            name = explain(wanted, got, stream)
            if name is None:
                self.fail(f"stream {number}: the library: {wanted}; the gateway: {got};"
                          f" {stream[:400].hex()}")
            explained[name] += 1
        return explained, ends

    def test_every_tolerated_difference_is_still_one(self):
        self.assertEqual(sorted(EXAMPLES), sorted(name for name, _, _ in TOLERATED))
        for name, (deflated, make) in EXAMPLES.items():
            with self.subTest(name):
                source = random.Random(SEED)
                stream = make(source)
                wanted = expected(stream, deflated)
                got = seen(self.gateway.address(), stream, wanted, deflated, source)
                self.assertNotEqual((wanted.messages, wanted.end), (got.messages, got.end))
                self.assertEqual(explain(wanted, got, stream), name, (wanted, got))

    def test_random_streams_mean_the_same_to_both(self):
        explained, ends = self.compare(PLAIN_STREAMS, False)
        self.assertLess(sum(explained.values()), PLAIN_STREAMS // 4, explained)
        for code in ("open", None, 1000, 1002, 1007, 1009):
            self.assertIn(code, ends, "no stream ends so")

    def test_random_compressed_streams_mean_the_same_to_both(self):
        explained, ends = self.compare(DEFLATED_STREAMS, True)
        self.assertLess(sum(explained.values()), DEFLATED_STREAMS // 4, explained)
        for code in ("open", None, 1000, 1002, 1007, 1009):
            self.assertIn(code, ends, "no stream ends so")
