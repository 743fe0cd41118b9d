"""A small HTTP/1.1 client over a bare socket: says exactly what it is told to, byte by byte if
wanted, and reads answers strictly. For tests of what a polite client would never send."""

import json
import socket
import time

TIMEOUT = 15.0


class Response:
    """One answer: status, headers (list of pairs, names lowered), body."""

    def __init__(self, status, reason, headers, body):
        self.status = status
        self.reason = reason
        self.headers = headers
        self.body = body

    def header(self, name, default=None):
        for key, value in self.headers:
            if key == name.lower():
                return value
        return default

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.reason} {self.headers} {self.body[:200]!r}>"


class Connection:
    """One socket and what was read from it but not used yet."""

    def __init__(self, address, timeout=TIMEOUT, source=None):
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.settimeout(timeout)
            self.socket.connect(address)
        else:
            self.socket = socket.create_connection(address, timeout,
                                                   (source, 0) if source else None)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.kept = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data, piece=None, pause=0.0):
        """Sends everything, in pieces of `piece` bytes when given."""
        if isinstance(data, str):
            data = data.encode("latin-1")
        if piece is None:
            self.socket.sendall(data)
            return
        for start in range(0, len(data), piece):
            try:
                self.socket.sendall(data[start:start + piece])
            except (BrokenPipeError, ConnectionResetError):
                return  # refused before the end was sent: the answer is there to be read
            if pause:
                time.sleep(pause)

    def _more(self):
        data = self.socket.recv(65536)
        self.kept += data
        return bool(data)

    def read_until(self, mark):
        while mark not in self.kept:
            if not self._more():
                raise ConnectionError(f"closed before {mark!r}; had {self.kept[:400]!r}")
        head, self.kept = self.kept.split(mark, 1)
        return head

    def read_exactly(self, count):
        while len(self.kept) < count:
            if not self._more():
                raise ConnectionError(f"closed with {len(self.kept)} of {count} bytes")
        data, self.kept = self.kept[:count], self.kept[count:]
        return data

    def read_head(self):
        """(status, reason, headers) of the next answer."""
        head = self.read_until(b"\r\n\r\n").decode("latin-1")
        first, *lines = head.split("\r\n")
        version, status, *reason = first.split(" ", 2)
        assert version in ("HTTP/1.1", "HTTP/1.0"), f"not an HTTP answer: {first!r}"
        headers = []
        for line in lines:
            name, colon, value = line.partition(":")
            assert colon and name == name.strip(), f"a bad header line: {line!r}"
            headers.append((name.lower(), value.strip()))
        return int(status), " ".join(reason), headers

    def read_response(self, head=False):
        """The next whole answer; `head`: it answers HEAD, so there is no body."""
        status, reason, headers = self.read_head()
        response = Response(status, reason, headers, b"")
        if head or status in (204, 304) or 100 <= status < 200:
            return response
        if (response.header("transfer-encoding") or "").lower() == "chunked":
            while True:
                size = int(self.read_until(b"\r\n").split(b";")[0], 16)
                response.body += self.read_exactly(size)
                if self.read_exactly(2) != b"\r\n":
                    raise ConnectionError("a chunk without its end")
                if size == 0:
                    return response
        length = response.header("content-length")
        assert length is not None, f"an answer without a length: {response}"
        response.body = self.read_exactly(int(length))
        return response

    def read_line(self):
        return self.read_until(b"\n").rstrip(b"\r").decode("utf-8")

    def is_closed(self, timeout=5.0):
        """Whether the peer closes within `timeout`; unread bytes are an error."""
        self.socket.settimeout(timeout)
        try:
            data = self.socket.recv(4096)
        except socket.timeout:
            return False
        except ConnectionResetError:
            return True
        finally:
            self.socket.settimeout(TIMEOUT)
        if data:
            raise AssertionError(f"unexpected bytes {data[:200]!r}")
        return True


def head_of(method, path, headers=(), host="localhost"):
    lines = [f"{method} {path} HTTP/1.1"]
    if host is not None:
        lines.append(f"Host: {host}")
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def request(address, method, path, headers=(), body=b"", timeout=TIMEOUT):
    """One request on a connection of its own."""
    headers = list(headers)
    if body or method in ("POST", "PUT"):
        headers.append(("Content-Length", str(len(body))))
    with Connection(address, timeout) as connection:
        connection.send(head_of(method, path, headers) + body)
        return connection.read_response(head=method == "HEAD")


def get(address, path, headers=(), timeout=TIMEOUT):
    return request(address, "GET", path, headers, timeout=timeout)


def exchange(address, data, piece=None, head=False):
    """Sends raw bytes on a connection of their own; returns the first answer."""
    with Connection(address) as connection:
        connection.send(data, piece)
        return connection.read_response(head=head)
