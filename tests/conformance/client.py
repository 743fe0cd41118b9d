"""A WebSocket client that sends any bytes it is told to and forgives nothing it reads.

`Target` says where the server is and what it was told (limits, subprotocols). `Wire` is bytes over
TCP or TLS; it goes on reading while it writes, so that an echo can never block both sides. `Link`
is a WebSocket connection over a wire: it builds frames, right or wrong, and checks every frame
that arrives. Whatever the server does wrong raises Violation with one sentence.
"""

import base64
import hashlib
import random
import select
import socket
import ssl
import struct
import time
import urllib.parse
import zlib

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
RSV1, RSV2, RSV3 = 4, 2, 1
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
PATIENCE = 15.0
OPCODE_NAMES = {CONTINUATION: "continuation", TEXT: "text", BINARY: "binary", CLOSE: "close",
                PING: "ping", PONG: "pong"}
# Codes that may stand in a close frame (RFC 6455 §7.4 and the registry it founded).
SENDABLE = {*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)}
TAIL = b"\x00\x00\xff\xff"


class Violation(AssertionError):
    """The server did something a strict peer does not accept."""


def require(condition, sentence):
    if not condition:
        raise Violation(sentence)


def short(data, most=40):
    text = repr(bytes(data[:most]))
    return text if len(data) <= most else f"{text}... ({len(data)} bytes)"


def masked(payload, key):
    size = len(payload)
    stream = (key * (size // 4 + 1))[:size]
    mixed = int.from_bytes(payload, "little") ^ int.from_bytes(stream, "little")
    return mixed.to_bytes(size, "little")


def head(opcode, size, fin=True, rsv=0, is_masked=True, form=None):
    """A frame's header without the mask. `form` (7, 16 or 64) forces how the length is written."""
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    bit = 0x80 if is_masked else 0
    form = form or (7 if size < 126 else 16 if size < 65536 else 64)
    if form == 7:
        return struct.pack("!BB", first, bit | size)
    if form == 16:
        return struct.pack("!BBH", first, bit | 126, size)
    return struct.pack("!BBQ", first, bit | 127, size)


def close_payload(code, reason=b""):
    return struct.pack("!H", code) + reason


class Response:
    """The answer to an opening handshake."""

    def __init__(self, status, fields):
        self.status = status
        self.fields = fields

    def all(self, name):
        return [value for key, value in self.fields if key == name.lower()]

    def get(self, name):
        """The only value of a field, None without one."""
        values = self.all(name)
        require(len(values) < 2, f"the answer has {len(values)} fields {name}")
        return values[0] if values else None


class Target:
    """A server under test."""

    def __init__(self, url, message_limit, cafile=None):
        parts = urllib.parse.urlsplit(url)
        self.is_tls = parts.scheme == "wss"
        self.host = parts.hostname
        self.port = parts.port or (443 if self.is_tls else 80)
        self.path = (parts.path or "/") + ("?" + parts.query if parts.query else "")
        self.message_limit = message_limit
        self.context = None
        if self.is_tls:
            self.context = ssl.create_default_context(cafile=cafile)
            if cafile is None:
                self.context.check_hostname = False
                self.context.verify_mode = ssl.CERT_NONE

    @property
    def host_field(self):
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def wire(self):
        return Wire(self)

    def connect(self, offer=None, headers=(), seed=0):
        """A Link, opened with a handshake that must succeed. `offer`: extensions, one string or
        one a field."""
        offers = [] if offer is None else [offer] if isinstance(offer, str) else list(offer)
        key = base64.b64encode(random.Random(seed).randbytes(16)).decode()
        fields = [("Host", self.host_field), ("Upgrade", "websocket"), ("Connection", "Upgrade"),
                  ("Sec-WebSocket-Key", key), ("Sec-WebSocket-Version", "13"),
                  *(("Sec-WebSocket-Extensions", each) for each in offers), *headers]
        wire = self.wire()
        try:
            wire.send(request(self.path, fields))
            answer = wire.read_head()
            check_accepted(answer, key)
        except BaseException:
            wire.close()
            raise
        return Link(wire, answer, ", ".join(offers), seed)


def request(path, fields, method="GET", version="HTTP/1.1"):
    lines = [f"{method} {path} {version}", *(f"{name}: {value}" for name, value in fields)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def check_accepted(answer, key):
    require(answer.status == 101, f"the handshake was answered {answer.status}")
    upgrade = answer.get("upgrade") or ""
    require(upgrade.lower() == "websocket", f"Upgrade is {upgrade!r}")
    tokens = [token.strip().lower() for token in (answer.get("connection") or "").split(",")]
    require("upgrade" in tokens, f"Connection is {tokens!r}")
    wanted = base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()
    require(answer.get("sec-websocket-accept") == wanted, "Sec-WebSocket-Accept is wrong")
    require(answer.get("sec-websocket-version") is None, "a version in a successful answer")
    require(not answer.all("content-length") and not answer.all("transfer-encoding"),
            "a 101 answer speaks of a body")


class Wire:
    """Bytes to and from the server."""

    def __init__(self, target):
        self.deadline = time.monotonic() + PATIENCE
        self.received = bytearray()
        self.eof = False
        self.ending = None  # how it ended, where that was not clean
        self.broken = False  # writing is no longer possible
        plain = socket.create_connection((target.host, target.port), timeout=PATIENCE)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if target.context is not None:
            try:
                plain = target.context.wrap_socket(plain, server_hostname=target.host,
                                                   suppress_ragged_eofs=False)
            except BaseException:
                plain.close()
                raise
        self.socket = plain
        self.socket.setblocking(False)
        self.poll = select.poll()
        self.poll.register(self.socket, select.POLLIN)

    def close(self):
        self.socket.close()

    def shut_down(self):
        """No more bytes from this side."""
        if isinstance(self.socket, ssl.SSLSocket):
            socket.socket.shutdown(self.socket, socket.SHUT_WR)
        else:
            self.socket.shutdown(socket.SHUT_WR)

    def give_time(self):
        """For a case that moves megabytes."""
        self.deadline = time.monotonic() + 4 * PATIENCE

    def _wait(self, events):
        left = self.deadline - time.monotonic()
        require(left > 0, "the server did nothing until time was up")
        self.poll.modify(self.socket, events)
        self.poll.poll(left * 1000)

    def _receive(self):
        try:
            data = self.socket.recv(262144)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except ConnectionResetError:
            data, self.ending = b"", "the server reset the connection"
        except (ssl.SSLEOFError, ssl.SSLError) as error:
            data, self.ending = b"", f"TLS ended without a close_notify ({error.reason or error})"
        if not data:
            self.eof = True
        self.received += data
        return True

    def _write(self, piece):
        while piece:
            try:
                piece = piece[self.socket.send(piece):]
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                self._wait(select.POLLIN | select.POLLOUT)
                if not self.eof:
                    self._receive()
            except ConnectionResetError:
                # Said once only: reading will find a plain end after this.
                self.broken, self.ending = True, "the server reset the connection"
                return
            except (BrokenPipeError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
                self.broken = True
                return

    def send(self, data, chop=None, pace=0.0):
        """Sends, `chop` bytes at a time when given, `pace` seconds apart."""
        view = memoryview(data)
        step = chop or len(view) or 1
        for start in range(0, len(view), step):
            if self.broken:
                return
            self._write(view[start:start + step])
            if pace:
                time.sleep(pace)

    def fill(self, size):
        """Until `size` bytes are there; False when the server ended before."""
        while len(self.received) < size:
            if self.eof:
                return False
            if not self._receive():
                self._wait(select.POLLIN)
        return True

    def take(self, size):
        data = bytes(self.received[:size])
        del self.received[:size]
        return data

    def is_quiet(self, seconds):
        """Whether nothing arrives for so long."""
        limit = time.monotonic() + seconds
        while not self.received and not self.eof:
            left = limit - time.monotonic()
            if left <= 0:
                return True
            self.poll.modify(self.socket, select.POLLIN)
            self.poll.poll(left * 1000)
            self._receive()
        return False

    def read_head(self):
        """The answer to a handshake, up to its empty line."""
        while b"\r\n\r\n" not in self.received:
            require(len(self.received) < 65536, "an endless answer")
            require(self.fill(len(self.received) + 1),
                    self.ending or "the server closed without an answer")
        end = self.received.index(b"\r\n\r\n")
        lines = self.take(end + 4)[:-4].decode("latin-1").split("\r\n")
        version, _, rest = lines[0].partition(" ")
        require(version == "HTTP/1.1" and rest[:3].isdigit() and rest[3:4] == " ",
                f"the status line is {lines[0]!r}")
        fields = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            require(colon == ":" and name and name.strip() == name, f"a field is {line!r}")
            fields.append((name.lower(), value.strip(" \t")))
        return Response(int(rest[:3]), fields)

    def expect_eof(self):
        """The server closes the connection, cleanly and without another byte."""
        while not self.eof:
            if not self._receive():
                self._wait(select.POLLIN)
        require(not self.received, f"bytes after the end: {short(self.received)}")
        require(self.ending is None, self.ending)


class Agreement:
    """What permessage-deflate was agreed with, checked against the offer (RFC 7692 §7.1)."""

    NAMES = ("server_no_context_takeover", "client_no_context_takeover",
             "server_max_window_bits", "client_max_window_bits")

    def __init__(self, answer, offers):
        name, *parameters = [part.strip() for part in answer.split(";")]
        require(name == "permessage-deflate" and "," not in answer,
                f"an extension nobody offered: {answer!r}")
        self.params = {}
        for parameter in parameters:
            key, equals, value = (part.strip() for part in parameter.partition("="))
            require(key in self.NAMES, f"an unknown parameter in the answer: {parameter!r}")
            require(key not in self.params, f"{key} twice in the answer")
            if key.endswith("bits"):
                require(equals and value.isdigit() and value[0] != "0" and 8 <= int(value) <= 15,
                        f"a window of {value!r} bits in the answer")
            else:
                require(not equals, f"{key} has a value in the answer")
            self.params[key] = int(value) if equals else True
        require(any(self.fits(each) for each in offers.split(",")),
                f"{answer!r} is no answer to {offers!r}")
        self.server_keeps = "server_no_context_takeover" not in self.params
        self.client_keeps = "client_no_context_takeover" not in self.params
        self.server_bits = self.params.get("server_max_window_bits", 15)
        self.client_bits = self.params.get("client_max_window_bits", 15)

    def fits(self, offer):
        name, *parameters = [part.strip() for part in offer.split(";")]
        asked = {}
        for parameter in parameters:
            key, _, value = (part.strip() for part in parameter.partition("="))
            asked[key] = value.strip('"')
        if name != "permessage-deflate":
            return False
        if "server_no_context_takeover" in asked \
                and "server_no_context_takeover" not in self.params:
            return False
        most = asked.get("server_max_window_bits")
        if most and self.params.get("server_max_window_bits", 16) > int(most):
            return False
        if "client_max_window_bits" not in asked:
            return "client_max_window_bits" not in self.params
        most = asked["client_max_window_bits"] or "15"
        return self.params.get("client_max_window_bits", 15) <= int(most)


class Deflater:
    """This side's compression."""

    def __init__(self, bits=15, keeps=True, level=6):
        # A window of 2^9 never reaches back further than 250 bytes, which also suits 2^8.
        self.bits = max(bits, 9)
        self.keeps = keeps
        self.level = level
        self.zlib = None

    def message(self, payload, level=None):
        if self.zlib is None or not self.keeps:
            self.zlib = zlib.compressobj(self.level if level is None else level, zlib.DEFLATED,
                                         -self.bits, 8)
        data = self.zlib.compress(payload) + self.zlib.flush(zlib.Z_SYNC_FLUSH)
        return data[:-4] if data.endswith(TAIL) else b"\x00"


class Inflater:
    """The other side's. With `is_strict`, a reference past the agreed window is found wherever it
    is: the output is taken a byte at a time, so that only the window remembers."""

    def __init__(self, bits=15, keeps=True, is_strict=False):
        self.bits = bits
        self.keeps = keeps
        self.is_strict = is_strict
        self.zlib = None

    def message(self, payload):
        if self.zlib is None or not self.keeps:
            self.zlib = zlib.decompressobj(-self.bits)
        data = payload + TAIL
        try:
            return self.slowly(data) if self.is_strict else self.zlib.decompress(data)
        except zlib.error as error:
            raise Violation(f"what the server compressed cannot be inflated: {error}") from None

    def slowly(self, data):
        out = bytearray()
        for at in range(len(data)):
            rest = data[at:at + 1]
            while True:
                got = self.zlib.decompress(rest, 1)
                out += got
                rest = self.zlib.unconsumed_tail
                if not got and not rest:
                    break
        return bytes(out)


class Frame:
    def __init__(self, fin, rsv, opcode, payload):
        self.fin, self.rsv, self.opcode, self.payload = fin, rsv, opcode, payload

    def __str__(self):
        name = OPCODE_NAMES.get(self.opcode, f"opcode {self.opcode}")
        return f"a {name} frame {short(self.payload)}"


class Link:
    """An open WebSocket connection."""

    def __init__(self, wire, answer, offers="", seed=0, has_asked_protocol=False):
        self.wire = wire
        self.answer = answer
        self.random = random.Random(seed)
        self.close_sent = False
        self.agreed = None
        self.deflater = self.inflater = None
        self.was_compressed = False  # the last message read was
        extensions = answer.get("sec-websocket-extensions")
        if extensions is not None:
            self.agreed = Agreement(extensions, offers)
            self.deflater = Deflater(self.agreed.client_bits, self.agreed.client_keeps)
            self.inflater = Inflater(self.agreed.server_bits, self.agreed.server_keeps)
        require(answer.get("sec-websocket-protocol") is None or has_asked_protocol,
                "a subprotocol nobody asked for")

    # ---- sending

    def frame(self, opcode, payload=b"", fin=True, rsv=0, mask=True, form=None, length=None):
        """`mask`: True for a random one, None for an unmasked frame, or its four bytes."""
        size = len(payload) if length is None else length
        if mask is None:
            return head(opcode, size, fin, rsv, False, form) + payload
        key = self.random.randbytes(4) if mask is True else mask
        return head(opcode, size, fin, rsv, True, form) + key + masked(payload, key)

    def send(self, opcode, payload=b"", chop=None, pace=0.0, **how):
        self.close_sent |= opcode == CLOSE
        self.wire.send(self.frame(opcode, payload, **how), chop, pace)

    def send_raw(self, data, chop=None, pace=0.0):
        self.wire.send(data, chop, pace)

    def fragments(self, opcode, pieces, rsv=0):
        """The frames of one message, a piece each."""
        last = len(pieces) - 1
        return [self.frame(opcode if i == 0 else CONTINUATION, piece, fin=i == last,
                           rsv=rsv if i == 0 else 0) for i, piece in enumerate(pieces)]

    def send_fragments(self, opcode, pieces, chop=None, rsv=0):
        self.wire.send(b"".join(self.fragments(opcode, pieces, rsv)), chop)

    def send_deflated(self, opcode, payload, fragment=None, chop=None):
        data = self.deflater.message(payload)
        step = fragment or len(data)
        pieces = [data[i:i + step] for i in range(0, len(data), step)]
        self.send_fragments(opcode, pieces, chop, RSV1)

    # ---- reading

    def read_frame(self):
        require(self.wire.fill(2), self.wire.ending or "the server closed without a close frame")
        first, second = self.wire.received[:2]
        fin, rsv, opcode = bool(first & 0x80), first >> 4 & 7, first & 15
        require(opcode in OPCODE_NAMES, f"a frame with the reserved opcode {opcode}")
        require(not second & 0x80, "a masked frame from the server")
        allowed = RSV1 if self.agreed and opcode in (TEXT, BINARY) else 0
        require(not rsv & ~allowed, f"reserved bits {rsv} in a frame from the server")
        size, start = second & 0x7F, 2
        require(opcode < 8 or (fin and size < 126), "a fragmented or long control frame")
        if size > 125:
            start = 4 if size == 126 else 10
            require(self.wire.fill(start), "the server closed inside a frame")
            size = int.from_bytes(self.wire.received[2:start], "big")
            require(size > (125 if start == 4 else 65535), "a length that is not the shortest form")
            require(size < 1 << 32, f"a frame of {size} bytes")
        require(self.wire.fill(start + size), "the server closed inside a frame")
        return Frame(fin, rsv, opcode, self.wire.take(start + size)[start:])

    def read_message(self):
        """(opcode, payload) of the next message; pings on the way are answered."""
        opcode, pieces, rsv = None, [], 0
        while True:
            frame = self.read_frame()
            if frame.opcode == PING:
                self.send(PONG, frame.payload)
                continue
            require(frame.opcode < 8, f"{frame} instead of a message")
            require((frame.opcode == CONTINUATION) == (opcode is not None),
                    "fragments out of order")
            if opcode is None:
                opcode, rsv = frame.opcode, frame.rsv
            pieces.append(frame.payload)
            if frame.fin:
                break
        payload = b"".join(pieces)
        self.was_compressed = bool(rsv)
        if rsv:
            payload = self.inflater.message(payload)
        if opcode == TEXT:
            try:
                payload.decode("utf-8")
            except UnicodeDecodeError:
                raise Violation(f"a text that is not UTF-8: {short(payload)}") from None
        return opcode, payload

    def expect_message(self, opcode, payload):
        got, data = self.read_message()
        require(got == opcode, f"a {OPCODE_NAMES[got]} came back, not a {OPCODE_NAMES[opcode]}")
        require(data == payload, f"came back {short(data)}, not {short(payload)}")

    def expect_pong(self, payload):
        frame = self.read_frame()
        require(frame.opcode == PONG, f"{frame} instead of a pong")
        require(frame.payload == payload,
                f"a pong with {short(frame.payload)}, not {short(payload)}")

    def is_alive(self):
        """A ping is answered, and by nothing but its pong."""
        self.send(PING, b"alive")
        self.expect_pong(b"alive")

    def read_close(self):
        """The close frame that must come now; its code, None for none."""
        frame = self.read_frame()
        require(frame.opcode == CLOSE, f"{frame} instead of a close frame")
        if not frame.payload:
            return None
        require(len(frame.payload) > 1, "a close frame with one byte")
        code = int.from_bytes(frame.payload[:2], "big")
        require(code in SENDABLE, f"a close frame with the code {code}")
        try:
            frame.payload[2:].decode("utf-8")
        except UnicodeDecodeError:
            raise Violation("a close reason that is not UTF-8") from None
        return code

    # ---- endings

    def expect_failure(self, code):
        """The server fails the connection with exactly this code, and closes it."""
        got = self.read_close()
        require(got == code, f"closed with {got}, not {code}")
        if not self.close_sent:
            self.send(CLOSE, close_payload(code))
        self.wire.expect_eof()

    def expect_closed(self, *codes):
        """Our close frame is answered with one of these codes, and TCP is closed."""
        got = self.read_close()
        require(got in codes, f"the close was answered with {got}, not {codes[0]}")
        self.wire.expect_eof()

    def finish(self):
        self.send(CLOSE, close_payload(1000))
        self.expect_closed(1000)

    def close(self):
        self.wire.close()
