"""An echo server for the conformance cases to be tried on. Without faults it is right; each fault
makes it wrong in one way, and the cases about that must notice. It shares no code with the client.
"""

import base64
import hashlib
import re
import socket
import struct
import threading
import zlib

TAIL = b"\x00\x00\xff\xff"
TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
PARAM = rf'[ \t]*;[ \t]*{TOKEN}(?:[ \t]*=[ \t]*(?:{TOKEN}|"{TOKEN}"))?'
EXTENSION = rf"{TOKEN}(?:{PARAM})*"
EXTENSIONS = re.compile(rf"[ \t,]*{EXTENSION}(?:[ \t]*,[ \t,]*{EXTENSION})*[ \t,]*")
UTF8_PREFIX = re.compile(
    rb"(?:[\x00-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]"
    rb"|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]"
    rb"|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2})*")
UTF8_BEGUN = re.compile(
    rb"[\xc2-\xdf]|\xe0[\xa0-\xbf]?|[\xe1-\xec\xee\xef][\x80-\xbf]?|\xed[\x80-\x9f]?"
    rb"|\xf0(?:[\x90-\xbf][\x80-\xbf]?)?|[\xf1-\xf3][\x80-\xbf]{0,2}"
    rb"|\xf4(?:[\x80-\x8f][\x80-\xbf]?)?")

FAULTS = {
    "reserved bits are accepted", "reserved opcodes are accepted", "unmasked frames are accepted",
    "any form of length is accepted", "UTF-8 is not checked", "UTF-8 is checked at the end",
    "every failure closes with 1000", "TCP is left open", "a close is not answered",
    "pings after a close are answered", "any close code is accepted",
    "close reasons are not checked", "pings are not answered", "pings are answered without payload",
    "long control frames are accepted", "control frames may be fragments",
    "a continuation of nothing is accepted", "a message inside a message is accepted",
    "pings wait for the end of the message", "there is no limit", "contexts are always kept",
    "windows are ignored", "RSV1 may stand on continuations", "RSV1 may stand on control frames",
    "inflated text is not checked", "broken data are echoed as they are",
    "unknown parameters are accepted",
    "keys are not checked", "versions are not checked", "texts come back binary",
    "frames are masked", "an empty fragment is lost", "the last byte is lost past 64 KiB",
    "the accept is a constant", "bytes follow the close", "lengths are long",
    "any subprotocol is accepted", "the stream is reset",
}


class Refused(Exception):
    """The handshake cannot succeed: the status."""


class Failed(Exception):
    """The connection must be failed: the code."""


class Gone(Exception):
    """The peer closed."""


def unmask(data, key, at):
    if not data:
        return b""
    key = key[at % 4:] + key[:at % 4]
    stream = (key * (len(data) // 4 + 1))[:len(data)]
    return (int.from_bytes(data, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(data), "big")


class Connection:
    def __init__(self, sock, server):
        self.sock = sock
        self.faults = server.faults
        self.limit = server.limit
        self.kept = bytearray()
        self.deflate = None
        self.is_closing = False

    def wrong(self, fault):
        assert fault in FAULTS, fault
        return fault in self.faults

    # ---- bytes

    def more(self):
        data = self.sock.recv(65536)
        if not data:
            raise Gone
        self.kept += data

    def take(self, size):
        while len(self.kept) < size:
            self.more()
        data = bytes(self.kept[:size])
        del self.kept[:size]
        return data

    # ---- handshake

    def shake_hands(self):
        while b"\r\n\r\n" not in self.kept:
            self.more()
        head = self.take(self.kept.index(b"\r\n\r\n") + 4)[:-4]
        try:
            answer = self.answer_to(head.decode("latin-1"))
        except Refused as refusal:
            status = refusal.args[0]
            self.sock.sendall(f"HTTP/1.1 {status} Refused\r\nContent-Length: 0\r\n"
                              "Sec-WebSocket-Version: 13\r\nConnection: close\r\n\r\n".encode())
            return False
        self.sock.sendall(answer.encode("latin-1"))
        return True

    def answer_to(self, head):
        lines = head.split("\r\n")
        fields = {}
        for line in lines[1:]:
            match = re.fullmatch(rf"({TOKEN}):[ \t]*([^\x00\r\n]*?)[ \t]*", line)
            if not match:
                raise Refused(400)
            fields.setdefault(match[1].lower(), []).append(match[2])

        def tokens(name):
            return [part.strip() for value in fields.get(name, []) for part in value.split(",")]

        def lowered(name):
            return [token.lower() for token in tokens(name)]

        if not re.fullmatch(r"GET /\S* HTTP/1\.1", lines[0]):
            raise Refused(400)
        if len(fields.get("host", [])) != 1 or "websocket" not in lowered("upgrade") \
                or "upgrade" not in lowered("connection"):
            raise Refused(400)
        if fields.get("sec-websocket-version") != ["13"] and not self.wrong(
                "versions are not checked"):
            raise Refused(426)
        keys = fields.get("sec-websocket-key", [""])
        if not re.fullmatch(r"[A-Za-z0-9+/]{22}==", ",".join(keys)) \
                and not self.wrong("keys are not checked"):
            raise Refused(400)
        if "transfer-encoding" in fields or fields.get("content-length", ["0"]) != ["0"]:
            raise Refused(400)
        digest = hashlib.sha1(keys[0].encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        if self.wrong("the accept is a constant"):
            digest = b"x" * 20
        answer = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
                  f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}"]
        asked = tokens("sec-websocket-protocol")
        mine = asked[:1] if self.wrong("any subprotocol is accepted") else [
            name for name in ("v2.conformance", "v1.conformance") if name in asked]
        if mine:
            answer.append(f"Sec-WebSocket-Protocol: {mine[0]}")
        extension = self.negotiate(fields.get("sec-websocket-extensions", []))
        if extension:
            answer.append(f"Sec-WebSocket-Extensions: {extension}")
        return "\r\n".join(answer) + "\r\n\r\n"

    def negotiate(self, values):
        for value in values:
            if not EXTENSIONS.fullmatch(value):
                raise Refused(400)
        for value in values:
            for offer in re.findall(EXTENSION, value):
                answer = self.accept(offer)
                if answer:
                    return answer
        return None

    def accept(self, offer):
        name, *params = [part.strip() for part in offer.split(";")]
        if name != "permessage-deflate":
            return None
        asked = {}
        for param in params:
            key, equals, value = (part.strip() for part in param.partition("="))
            value = value.strip('"') if equals else None
            if key in asked:
                return None
            asked[key] = value
            if key.endswith("_no_context_takeover") and key[:6] in ("server", "client") \
                    and len(key) == 26:
                good = value is None
            elif key in ("server_max_window_bits", "client_max_window_bits"):
                good = re.fullmatch("8|9|1[0-5]", value or "") or (
                    value is None and key[0] == "c")
            else:
                good = self.wrong("unknown parameters are accepted")
            if not good:
                return None
        self.deflate = {"server": int(asked.get("server_max_window_bits") or 15),
                        "client": int(asked.get("client_max_window_bits") or 15),
                        "server_keeps": "server_no_context_takeover" not in asked,
                        "client_keeps": "client_no_context_takeover" not in asked}
        self.deflater = self.inflater = None
        answer = ["permessage-deflate"]
        answer += [key for key in asked if key.endswith("takeover")]
        answer += [f"{key}={value}" for key, value in asked.items() if value is not None
                   and key.endswith("bits")]
        return "; ".join(answer)

    # ---- frames out

    def send_frame(self, opcode, payload, rsv=0):
        size = len(payload)
        if self.wrong("lengths are long") and size < 65536:
            head = struct.pack("!BBH", 0x80 | rsv << 4 | opcode, 126, size)
        elif size < 126:
            head = struct.pack("!BB", 0x80 | rsv << 4 | opcode, size)
        elif size < 65536:
            head = struct.pack("!BBH", 0x80 | rsv << 4 | opcode, 126, size)
        else:
            head = struct.pack("!BBQ", 0x80 | rsv << 4 | opcode, 127, size)
        if self.wrong("frames are masked"):
            head = bytes([head[0], head[1] | 0x80]) + head[2:] + b"\0\0\0\0"
        self.sock.sendall(head + payload)

    def echo(self, opcode, payload):
        if self.wrong("texts come back binary"):
            opcode = 2
        if self.wrong("the last byte is lost past 64 KiB") and len(payload) > 65535:
            payload = payload[:-1]
        if self.deflate is None:
            self.send_frame(opcode, payload)
            return
        keeps = self.deflate["server_keeps"] or self.wrong("contexts are always kept")
        if self.deflater is None or not keeps:
            bits = 15 if self.wrong("windows are ignored") else max(9, self.deflate["server"])
            self.deflater = zlib.compressobj(1, zlib.DEFLATED, -bits)
        data = self.deflater.compress(payload) + self.deflater.flush(zlib.Z_SYNC_FLUSH)
        self.send_frame(opcode, data[:-4] if data.endswith(TAIL) else b"\x00", 4)

    def close(self, code):
        if self.wrong("every failure closes with 1000"):
            code = 1000
        self.send_frame(8, struct.pack("!H", code))
        self.end()

    def end(self):
        """What the peer still sends is read, so that the end of the stream is clean."""
        self.is_closing = True
        if self.wrong("bytes follow the close"):
            self.sock.sendall(b"\x89\x00")
        if self.wrong("TCP is left open"):
            while True:
                self.more()
        if self.wrong("the stream is reset"):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        self.sock.shutdown(socket.SHUT_WR)
        self.sock.settimeout(2)
        while True:
            self.more()
            self.kept.clear()

    # ---- frames in

    def read_frames(self):
        self.message = None
        while True:
            self.read_frame()

    def read_frame(self):
        first, second = self.take(2)
        fin, rsv, opcode = first >> 7, first >> 4 & 7, first & 15
        size, is_control = second & 127, opcode >= 8
        self.check_head(fin, rsv, opcode, is_control)
        if is_control and size > 125 and not self.wrong("long control frames are accepted"):
            raise Failed(1002)
        if size > 125:
            least = 126 if size == 126 else 65536
            size = int.from_bytes(self.take(2 if size == 126 else 8), "big")
            if size >> 63 or size < least and not self.wrong("any form of length is accepted"):
                raise Failed(1002)
        if not second & 128 and not self.wrong("unmasked frames are accepted"):
            raise Failed(1002)
        key = self.take(4) if second & 128 else b"\0\0\0\0"
        if is_control:
            payload = unmask(self.take(size), key, 0)
            self.on_control(opcode, payload)
        else:
            self.on_data(fin, rsv, opcode, size, key)

    def check_head(self, fin, rsv, opcode, is_control):
        in_message = self.message is not None
        allowed = 4 if self.deflate else 0
        if is_control and not self.wrong("RSV1 may stand on control frames"):
            allowed = 0
        if opcode == 0 and not self.wrong("RSV1 may stand on continuations"):
            allowed = 0
        if rsv & ~allowed and not self.wrong("reserved bits are accepted"):
            raise Failed(1002)
        if opcode not in (0, 1, 2, 8, 9, 10) and not self.wrong("reserved opcodes are accepted"):
            raise Failed(1002)
        if is_control and not fin and not self.wrong("control frames may be fragments"):
            raise Failed(1002)
        if opcode == 0 and not in_message and not self.wrong(
                "a continuation of nothing is accepted"):
            raise Failed(1002)
        if 0 < opcode < 8 and in_message and not self.wrong(
                "a message inside a message is accepted"):
            raise Failed(1002)

    def on_control(self, opcode, payload):
        if opcode == 9 and not self.wrong("pings are not answered"):
            if self.message is not None and self.wrong("pings wait for the end of the message"):
                self.message["pings"].append(payload)
            else:
                self.send_frame(10, b"" if self.wrong("pings are answered without payload")
                                else payload)
        elif opcode == 8:
            self.on_close(payload)

    def on_close(self, payload):
        if len(payload) == 1:
            raise Failed(1002)
        if payload:
            code = int.from_bytes(payload[:2], "big")
            if not (1000 <= code <= 1014 and code not in (1004, 1005, 1006)
                    or 3000 <= code <= 4999) and not self.wrong("any close code is accepted"):
                raise Failed(1002)
            if UTF8_PREFIX.fullmatch(payload[2:]) is None \
                    and not self.wrong("close reasons are not checked"):
                raise Failed(1007)
        if not self.wrong("a close is not answered"):
            self.send_frame(8, payload[:2])
        if self.wrong("pings after a close are answered"):
            self.sock.settimeout(0.05)
            try:
                while True:
                    self.read_frame()
            except TimeoutError:
                pass
        self.end()

    def begin(self, rsv, opcode):
        self.message = {"opcode": opcode or 2, "data": bytearray(), "utf8": b"", "pings": [],
                        "is_deflated": bool(rsv & 4) and self.deflate is not None}
        if self.message["is_deflated"] and (self.inflater is None
                                            or not self.deflate["client_keeps"]):
            self.inflater = zlib.decompressobj(-15)

    def on_data(self, fin, rsv, opcode, size, key):
        if opcode or self.message is None:
            self.begin(rsv, opcode)
        message = self.message
        if not message["is_deflated"] and len(message["data"]) + size > self.limit \
                and not self.wrong("there is no limit"):
            raise Failed(1009)
        if message["is_deflated"] and size > self.limit * 2 - 1 \
                and not self.wrong("there is no limit"):
            raise Failed(1009)
        if size == 0 and opcode == 0 and fin and self.wrong("an empty fragment is lost"):
            return
        at = 0
        while at < size:
            if not self.kept:
                self.more()
            piece = self.take(min(size - at, len(self.kept)))
            self.on_piece(unmask(piece, key, at))
            at += len(piece)
        if fin:
            self.on_end()

    def on_piece(self, data):
        message = self.message
        if message["is_deflated"]:
            data = self.inflate(data)
        message["data"] += data
        if self.must_check() and not self.wrong("UTF-8 is checked at the end"):
            text = message["utf8"] + data
            begun = text[UTF8_PREFIX.match(text).end():]
            if begun and not UTF8_BEGUN.fullmatch(begun):
                raise Failed(1007)
            message["utf8"] = begun

    def must_check(self):
        skipped = "inflated text is not checked" if self.message["is_deflated"] \
            else "UTF-8 is not checked"
        return self.message["opcode"] == 1 and not self.wrong(skipped)

    def inflate(self, data):
        out = bytearray()
        try:
            while True:
                room = 1 << 62 if self.wrong("there is no limit") else \
                    self.limit + 1 - len(self.message["data"]) - len(out)
                out += self.inflater.decompress(data, min(room, 1 << 40))
                if len(out) + len(self.message["data"]) > self.limit \
                        and not self.wrong("there is no limit"):
                    raise Failed(1009)
                if not self.inflater.eof:
                    return bytes(out)
                # A final block: the next one begins with the same window.
                data = self.inflater.unused_data
                seen = (bytes(self.message["data"]) + out)[-32768:]
                self.inflater = zlib.decompressobj(-15, zdict=seen) if seen \
                    else zlib.decompressobj(-15)
                if not data:
                    return bytes(out)
        except zlib.error:
            if self.wrong("broken data are echoed as they are"):
                self.inflater = zlib.decompressobj(-15)
                return data
            raise Failed(1007) from None

    def on_end(self):
        message = self.message
        if message["is_deflated"]:
            self.on_piece(TAIL)
            # Whether a block was cut: one that was not can be followed by an empty final one.
            try:
                probe = self.inflater.copy()
                probe.decompress(b"\x03\x00")
                is_whole = probe.eof
            except zlib.error:
                is_whole = False
            if not is_whole and not self.wrong("broken data are echoed as they are"):
                raise Failed(1007)
        if self.must_check() and (message["utf8"] or self.wrong("UTF-8 is checked at the end")
                                  and UTF8_PREFIX.fullmatch(bytes(message["data"])) is None):
            raise Failed(1007)
        self.message = None
        for payload in message["pings"]:
            self.send_frame(10, payload)
        self.echo(message["opcode"], bytes(message["data"]))

    def run(self):
        try:
            if self.shake_hands():
                self.read_frames()
        except Failed as failure:
            self.close(failure.args[0])


class Server:
    """Use as a context manager; `address` is a ws:// one."""

    def __init__(self, *faults, limit):
        assert set(faults) <= FAULTS, faults
        self.faults = set(faults)
        self.limit = limit
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.address = f"ws://127.0.0.1:{self.listener.getsockname()[1]}/echo"
        self.thread = threading.Thread(target=self.accept, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        with sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(60)
            try:
                Connection(sock, self).run()
            except (Gone, OSError):
                pass
            except Failed:
                sock.close()
