"""Asynchronous peers for the fault tests: a WebSocket client, an event stream reader, HTTP calls.

They read strictly (a byte out of place is an error), and know three ends only: what was expected,
`Closed` (the connection ended, which faults may cause) and a deadline that passed, which is a
failure always."""

import asyncio
import base64
import json
import os
import ssl
import struct

from support import httpraw, names, wsraw

# The certificate is made for the run; what is tested is not who signed it.
TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
TLS.check_hostname = False
TLS.verify_mode = ssl.CERT_NONE

DEADLINE = 15.0  # of every single step; slow machines and sanitizers included


class Closed(Exception):
    """The connection ended before what was waited for."""


class Broken(AssertionError):
    """Something no fault excuses."""


async def within(what, awaitable, seconds=DEADLINE):
    if seconds is None:  # somebody else has an eye on it
        return await awaitable
    try:
        return await asyncio.wait_for(awaitable, seconds)
    except asyncio.TimeoutError:
        raise Broken(f"a hang: {what} took more than {seconds} s") from None


def mask(data):
    key = os.urandom(4)
    size = len(data)
    if size == 0:
        return key
    long_key = (key * (size // 4 + 1))[:size]
    mixed = int.from_bytes(data, "little") ^ int.from_bytes(long_key, "little")
    return key + mixed.to_bytes(size, "little")


def frame(opcode, data):
    size = len(data)
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
    elif size < 65536:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
    return head + mask(data)


class Connection:
    """One connection; every error of the system is Closed."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, address):
        """(host, port), or (host, port, "tls")."""
        try:
            return cls(*await within("connecting", asyncio.open_connection(
                *address[:2], limit=1 << 22, ssl=TLS if len(address) > 2 else None)))
        except OSError as error:
            raise Closed(f"connecting: {error}") from None

    async def send(self, data):
        try:
            self.writer.write(data)
            await within("sending", self.writer.drain())
        except OSError as error:
            raise Closed(f"sending: {error}") from None

    async def exactly(self, count, seconds=DEADLINE):
        try:
            return await within("reading", self.reader.readexactly(count), seconds)
        except (OSError, asyncio.IncompleteReadError) as error:
            raise Closed(f"reading: {error}") from None

    async def until(self, mark, seconds=DEADLINE):
        try:
            data = await within("reading", self.reader.readuntil(mark), seconds)
        except (OSError, asyncio.IncompleteReadError) as error:
            raise Closed(f"reading: {error}") from None
        return data[:-len(mark)]

    async def head(self):
        """(status, headers by lowered name)"""
        first, *lines = (await self.until(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        version, status = first.split(" ")[:2]
        if version != "HTTP/1.1":
            raise Broken(f"not an HTTP answer: {first!r}")
        return int(status), {name.lower(): value.strip() for name, _, value
                             in (line.partition(":") for line in lines)}

    def abort(self):
        try:
            self.writer.transport.abort()
        except AttributeError:
            pass  # asyncio's TLS: the connection has ended already

    def close(self):
        self.writer.close()

    async def ended(self):
        """Reads on until the other side ends the connection."""
        try:
            while await within("waiting for the end", self.reader.read(65536)):
                pass
        except OSError:
            pass
        self.close()


class WebSocket(Connection):
    """`async for` style reading by message(); pings are answered on the way."""

    @classmethod
    async def open(cls, address, path):
        self = await super().open(address)
        try:
            key = base64.b64encode(os.urandom(16)).decode()
            await self.send(httpraw.head_of("GET", path, wsraw.upgrade_headers(key)))
            status, headers = await self.head()
            if status == 503:
                raise Closed("refused for the time being")
            if status != 101:
                raise Broken(f"{path} was answered {status} {headers}")
        except BaseException:
            self.abort()
            raise
        self.code = None
        return self

    async def say(self, data, opcode=wsraw.TEXT):
        await self.send(frame(opcode, data))

    async def message(self, seconds=DEADLINE):
        while True:
            first, second = await self.exactly(2, seconds)
            if first & 0xf0 != 0x80 or second & 0x80:
                raise Broken(f"a frame began {first:#x} {second:#x}")
            size = second
            if size == 126:
                size, = struct.unpack("!H", await self.exactly(2))
            elif size == 127:
                size, = struct.unpack("!Q", await self.exactly(8))
            data = await self.exactly(size)
            opcode = first & 15
            if opcode in (wsraw.TEXT, wsraw.BINARY):
                return data
            if opcode == wsraw.PING:
                await self.send(frame(wsraw.PONG, data))
            elif opcode == wsraw.CLOSE:
                self.code = struct.unpack("!H", data[:2])[0] if data else 1005
                self.close()
                raise Closed(f"close frame {data!r}")
            elif opcode != wsraw.PONG:
                raise Broken(f"a frame with opcode {opcode}")

    async def leave(self):
        """The closing handshake."""
        try:
            await self.send(frame(wsraw.CLOSE, struct.pack("!H", 1000)))
            while True:
                await self.message()
        except Closed:
            pass
        finally:
            self.close()


class Events(Connection):
    """An event stream."""

    @classmethod
    async def open(cls, address, path, last=None):
        self = await super().open(address)
        try:
            headers = [("Accept", "text/event-stream")]
            headers += [("Last-Event-ID", last)] if last else []
            await self.send(httpraw.head_of("GET", path, headers))
            status, headers = await self.head()
            if status == 503:
                raise Closed("refused for the time being")
            if status != 200:
                raise Broken(f"{path} was answered {status}")
        except BaseException:
            self.abort()
            raise
        self.chunked = headers.get("transfer-encoding") == "chunked"
        self.rest = b""
        return self

    async def line(self):
        if not self.chunked:
            return await self.until(b"\n")
        while b"\n" not in self.rest:
            size = int(await self.until(b"\r\n"), 16)
            self.rest += await self.exactly(size)
            if await self.exactly(2) != b"\r\n":
                raise Broken("a chunk without its end")
            if size == 0:
                raise Closed("the last chunk")
        line, self.rest = self.rest.split(b"\n", 1)
        return line

    async def message(self, seconds=DEADLINE):
        """(id, data)"""
        identity, data = None, None
        while True:
            name, _, value = (await within("an event", self.line(), seconds)) \
                .rstrip(b"\r").partition(b": ")
            if name == b"id":
                identity = value.decode()
            elif name == b"data":
                data = value
            elif name == b"" and data is not None:
                return identity, data


class Http(Connection):
    """Requests on one connection, opened when needed."""

    def __init__(self, address):
        super().__init__(None, None)
        self.address = address

    async def call(self, method, path, body=b""):
        """(status, body), or Closed: then it is not known whether the request was carried out."""
        try:
            if self.writer is None:
                other = await Connection.open(self.address)
                self.reader, self.writer = other.reader, other.writer
            headers = [("X-API-Key", names.API_KEY)]
            if method == "POST":
                headers.append(("Content-Length", str(len(body))))
            await self.send(httpraw.head_of(method, path, headers) + body)
            status, headers = await self.head()
            data = await self.exactly(int(headers["content-length"]))
            if headers.get("connection", "") == "close":
                self.finish()
            return status, data
        except BaseException:
            self.finish()
            raise

    def finish(self):
        if self.writer is not None:
            self.abort()
            self.reader = self.writer = None

    async def surely(self, method, path, body=b""):
        """Repeats until an answer comes; for what may be done twice."""
        for _ in range(200):
            try:
                status, data = await self.call(method, path, body)
                if status == 200:
                    return data
            except Closed:
                pass
            await asyncio.sleep(0.01)
        raise Broken(f"{method} {path} never succeeded")

    async def api(self, method, **params):
        """The result, or Closed when it is unknown or was refused."""
        status, data = await self.call("POST", f"/api/{method}", json.dumps(params).encode())
        value = json.loads(data)
        if status == 503 or value.get("error", {}).get("code") == 100:
            raise Closed(f"refused: {data!r}")
        if status != 200 or "result" not in value:
            raise Broken(f"{method} was answered {status} {data!r}")
        return value["result"]
