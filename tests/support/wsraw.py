"""A WebSocket client that sends any frame it is told to, right or wrong, and reads strictly."""

import base64
import hashlib
import os
import struct

from support import httpraw

TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 1, 2, 8, 9, 10, 0
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def upgrade_headers(key=None, version="13", **more):
    headers = [("Upgrade", "websocket"), ("Connection", "Upgrade"),
               ("Sec-WebSocket-Key", key or base64.b64encode(os.urandom(16)).decode()),
               ("Sec-WebSocket-Version", version)]
    return headers + [(name.replace("_", "-"), value) for name, value in more.items()]


def frame(opcode, payload=b"", fin=True, masked=True, reserved=0, length=None):
    """One client frame; `length` states another length than the payload has."""
    size = len(payload) if length is None else length
    first = (0x80 if fin else 0) | (reserved << 4) | opcode
    mask_bit = 0x80 if masked else 0
    if size < 126:
        head = struct.pack("!BB", first, mask_bit | size)
    elif size < 65536:
        head = struct.pack("!BBH", first, mask_bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, mask_bit | 127, size)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    repeated = mask * (len(payload) // 4 + 1)
    body = bytes(a ^ b for a, b in zip(payload, repeated))
    return head + mask + body


def close_payload(code, reason=b""):
    return struct.pack("!H", code) + reason


class WebSocket:
    """Opened by its constructor; `refused` raises AssertionError with the answer."""

    def __init__(self, address, path, headers=(), timeout=httpraw.TIMEOUT, source=None):
        self.connection = httpraw.Connection(address, timeout, source)
        key = base64.b64encode(os.urandom(16)).decode()
        self.connection.send(httpraw.head_of("GET", path, upgrade_headers(key) + list(headers)))
        status, reason, answer = self.connection.read_head()
        self.headers = dict(answer)
        if status != 101:
            self.connection.close()
            raise AssertionError(f"the upgrade was answered {status} {reason} {answer}")
        wanted = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
        assert self.headers.get("sec-websocket-accept") == wanted, self.headers

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def send(self, opcode, payload=b"", **options):
        self.connection.send(frame(opcode, payload, **options))

    def read_frame(self):
        """(fin, opcode, payload) of the next frame."""
        first, second = self.connection.read_exactly(2)
        assert first & 0x70 == 0, f"reserved bits set: {first:#x}"
        assert second & 0x80 == 0, "a masked frame from the server"
        size = second & 0x7F
        if size == 126:
            size, = struct.unpack("!H", self.connection.read_exactly(2))
            assert size >= 126, "a length not in its shortest form"
        elif size == 127:
            size, = struct.unpack("!Q", self.connection.read_exactly(8))
            assert size >= 65536, "a length not in its shortest form"
        opcode = first & 0x0F
        if opcode >= 8:
            assert first & 0x80 and size <= 125, "a broken control frame"
        return bool(first & 0x80), opcode, self.connection.read_exactly(size)

    def read_message(self):
        """(opcode, payload) of the next data message; pings are answered on the way."""
        opcode, payload = None, b""
        while True:
            fin, kind, data = self.read_frame()
            if kind == PING:
                self.send(PONG, data)
                continue
            if kind == PONG:
                continue
            if kind == CLOSE:
                raise ConnectionError(f"closed: {data!r}")
            if kind != CONTINUATION:
                opcode, payload = kind, b""
            payload += data
            if fin:
                return opcode, payload

    def read_close(self):
        """The close code, None when there is none, whatever comes before it."""
        while True:
            _, opcode, payload = self.read_frame()
            if opcode == CLOSE:
                return struct.unpack("!H", payload[:2])[0] if payload else None

    def close(self):
        self.connection.close()
