"""What the HTTP side refuses, with what status, and that nothing depends on how bytes arrive."""

import time
import unittest

from support import cases, gateway, httpraw, names

LIMITS = [
    (names.REQUEST_LINE_MAX, "1KiB"),
    (names.HEADER_BYTES_MAX, "4KiB"),
    (names.HEADER_COUNT_MAX, 20),
    (names.BODY_MAX, "16KiB"),
]


def config_with_page(**more):
    """BASE with the limits above and a page, in a folder the gateway is started in."""
    result = gateway.settings(*LIMITS, **more)
    result["routes"].append({"path": "/page/*", "kind": "files", "root": "page"})
    return result


class PageGateway(cases.GatewayCase):
    """A gateway with a page to get, made before it starts."""

    config = config_with_page()

    @classmethod
    def setUpClass(cls):
        cls.gateway = gateway.Gateway(cls.make_config())
        page = cls.gateway.folder / "page"
        page.mkdir()
        (page / "index.html").write_text("<p>hello</p>\n", encoding="utf-8")
        cls.gateway.start()

    def get_ok(self, connection, path="/page/index.html"):
        connection.send(httpraw.head_of("GET", path))
        response = connection.read_response()
        self.assertEqual(response.status, 200, response)
        return response


HOST = "Host: localhost\r\n"
GET = "GET /page/index.html HTTP/1.1\r\n"
POST = "POST /api/info HTTP/1.1\r\n" + HOST + f"X-API-Key: {names.API_KEY}\r\n"

# name, bytes, status: each is refused the same however it arrives.
REFUSED = [
    ("a bare CR in a header value", GET + HOST + "X-A: b\rTransfer-Encoding: chunked\r\n\r\n", 400),
    ("a bare CR before the blank line", GET + HOST + "X-A: b\r\r\n\r\n", 400),
    ("a bare LF after the request line", "GET /page/index.html HTTP/1.1\n" + HOST + "\r\n", 400),
    ("a bare LF after a header", GET + "Host: localhost\n\r\n", 400),
    ("a bare LF as the end of the head", GET + HOST + "\n", 400),
    ("CRLF CR and something", GET + HOST + "\rX", 400),
    ("a folded header", GET + HOST + "X-A: b\r\n c\r\n\r\n", 400),
    ("a header folded with a tab", GET + HOST + "X-A: b\r\n\tc\r\n\r\n", 400),
    ("space before the first header", GET + " " + HOST + "\r\n", 400),
    ("no Host", GET + "\r\n", 400),
    ("a second Host", GET + HOST + HOST + "\r\n", 400),
    ("a second, other Host", GET + HOST + "Host: other\r\n\r\n", 400),
    ("Content-Length and Transfer-Encoding",
     POST + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 400),
    ("Transfer-Encoding and Content-Length",
     POST + "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 400),
    ("a second Content-Length", POST + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400),
    ("a second, other Content-Length",
     POST + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
    ("a Content-Length that is a list", POST + "Content-Length: 2, 2\r\n\r\n{}", 400),
    ("a negative Content-Length", POST + "Content-Length: -1\r\n\r\n", 400),
    ("a signed Content-Length", POST + "Content-Length: +2\r\n\r\n{}", 400),
    ("a Content-Length in hex", POST + "Content-Length: 0x2\r\n\r\n{}", 400),
    ("a Content-Length past 64 bits",
     POST + "Content-Length: 18446744073709551618\r\n\r\n{}", 400),
    ("an empty Content-Length", POST + "Content-Length:\r\n\r\n{}", 400),
    ("an empty header name", GET + HOST + ": x\r\n\r\n", 400),
    ("a header without a colon", GET + HOST + "nonsense\r\n\r\n", 400),
    ("space before the colon", GET + HOST + "X-A : b\r\n\r\n", 400),
    ("a NUL in a header value", GET + HOST + "X-A: b\0c\r\n\r\n", 400),
    ("a NUL in the path", "GET /a\0b HTTP/1.1\r\n" + HOST + "\r\n", 400),
    ("a control character in a header name", GET + HOST + "X\x01A: b\r\n\r\n", 400),
    ("a second Transfer-Encoding",
     POST + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("chunked that is not the last coding",
     POST + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
    ("a chunk size that is no number",
     POST + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", 400),
    ("a chunk size past 64 bits",
     POST + "Transfer-Encoding: chunked\r\n\r\n10000000000000002\r\n{}\r\n0\r\n\r\n", 413),
    ("a chunk longer than it says",
     POST + "Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n", 400),
    ("a bare LF after a chunk size",
     POST + "Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n", 400),
    ("no such version", "GET /page/index.html HTTP/9.9\r\n" + HOST + "\r\n", 505),
    ("no version", "GET /page/index.html\r\n" + HOST + "\r\n", 400),
    ("not HTTP at all", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + "\r\n\r\n", 400),
    ("a request line past its limit", "GET /" + "a" * 2000 + " HTTP/1.1\r\n" + HOST + "\r\n", 414),
    ("header bytes past their limit",
     GET + HOST + "X-A: " + "b" * 5000 + "\r\n\r\n", 431),
    ("many middling headers past the byte limit",
     GET + HOST + "".join(f"X-{i}: {'b' * 400}\r\n" for i in range(15)) + "\r\n", 431),
    ("more headers than allowed",
     GET + HOST + "".join(f"X-{i}: b\r\n" for i in range(30)) + "\r\n", 431),
    ("a body past its limit by its length", POST + "Content-Length: 20000\r\n\r\n", 413),
    ("a body past its limit by its chunks",
     POST + "Transfer-Encoding: chunked\r\n\r\n" + ("1000\r\n" + "x" * 4096 + "\r\n") * 5
     + "0\r\n\r\n", 413),
]


class Refusals(PageGateway):
    """Each bad request gets its status and a reason, and loses its connection only."""

    def refuse(self, data, status, piece=None):
        with httpraw.Connection(self.gateway.address()) as connection:
            connection.send(data.encode("latin-1"), piece)
            cases.assert_refusal(self, connection.read_response(), status)
            self.assertTrue(connection.is_closed(), "a refused connection stays open")

    def test_a_method_that_a_route_lacks_is_405_and_names_those_it_has(self):
        response = httpraw.request(self.gateway.address(), "DELETE", "/page/index.html")
        cases.assert_refusal(self, response, 405)
        self.assertIn("GET", response.header("allow", ""))

    def test_an_unknown_path_is_404_and_keeps_the_connection(self):
        with httpraw.Connection(self.gateway.address()) as connection:
            connection.send(httpraw.head_of("GET", "/no/such/path"))
            cases.assert_refusal(self, connection.read_response(), 404)
            self.get_ok(connection)

    def test_a_refusal_of_one_is_not_felt_by_another(self):
        with httpraw.Connection(self.gateway.address()) as bystander:
            self.get_ok(bystander)
            self.refuse(GET + "\r\n", 400)
            self.get_ok(bystander)

    def test_refusals_are_counted_by_status(self):
        before = self.gateway.metrics().value(names.HTTP_REFUSED, status="431")
        self.refuse(GET + HOST + "X-A: " + "b" * 5000 + "\r\n\r\n", 431)
        after = self.gateway.metrics().value(names.HTTP_REFUSED, status="431")
        self.assertEqual(after, before + 1)

    def test_the_gateway_still_serves_after_all_of_it(self):
        with httpraw.Connection(self.gateway.address()) as connection:
            self.get_ok(connection)


def add_refusals():
    """One test for each bad request whole, and one for it byte by byte."""
    for name, data, status in REFUSED:
        words = "".join(c if c.isalnum() else "_" for c in name)

        def whole(self, data=data, status=status):
            self.refuse(data, status)

        def bytewise(self, data=data, status=status):
            self.refuse(data, status, piece=1 if len(data) < 600 else 97)

        setattr(Refusals, f"test_{words}_is_{status}", whole)
        setattr(Refusals, f"test_{words}_is_{status}_byte_by_byte", bytewise)


add_refusals()


class GoodRequests(PageGateway):
    """What must work, however it arrives."""

    def publish_body(self):
        return b'{"channel":"strict","data":{"n":1}}'

    def test_a_connection_is_kept_for_many_requests(self):
        with httpraw.Connection(self.gateway.address()) as connection:
            for _ in range(20):
                self.get_ok(connection)

    def test_connection_close_is_honoured(self):
        with httpraw.Connection(self.gateway.address()) as connection:
            connection.send(httpraw.head_of("GET", "/page/index.html", [("Connection", "close")]))
            response = connection.read_response()
            self.assertEqual(response.status, 200)
            self.assertEqual(response.header("connection", "").lower(), "close")
            self.assertTrue(connection.is_closed())

    def test_an_http_1_0_request_is_answered_and_closed(self):
        with httpraw.Connection(self.gateway.address()) as connection:
            connection.send("GET /page/index.html HTTP/1.0\r\nHost: localhost\r\n\r\n")
            self.assertIn(connection.read_response().status, (200, 400, 505))
            self.assertTrue(connection.is_closed())

    def test_pipelined_requests_are_answered_in_order(self):
        with httpraw.Connection(self.gateway.address()) as connection:
            paths = ["/page/index.html", "/nowhere", "/page/index.html", "/livez"] * 8
            connection.send(b"".join(httpraw.head_of("GET", path) for path in paths))
            wanted = [200, 404, 200, 200] * 8
            self.assertEqual([connection.read_response().status for _ in paths], wanted)

    def test_pipelined_posts_are_answered_in_order(self):
        with httpraw.Connection(self.gateway.address()) as connection:
            key = [("X-API-Key", names.API_KEY)]
            for _ in range(10):
                body = self.publish_body()
                head = httpraw.head_of("POST", "/api/publish",
                                       key + [("Content-Length", str(len(body)))])
                connection.send(head + body)
            for _ in range(10):
                self.assertEqual(connection.read_response().json(), {"result": {}})

    def test_a_good_request_before_a_bad_one_is_answered_first(self):
        with httpraw.Connection(self.gateway.address()) as connection:
            connection.send(httpraw.head_of("GET", "/page/index.html") + b"NONSENSE\r\n\r\n")
            self.assertEqual(connection.read_response().status, 200)
            cases.assert_refusal(self, connection.read_response(), 400)
            self.assertTrue(connection.is_closed())

    def test_byte_by_byte_delivery_gives_the_same_answer(self):
        whole = httpraw.exchange(self.gateway.address(), httpraw.head_of("GET", "/page/index.html"))
        pieces = httpraw.exchange(self.gateway.address(),
                                  httpraw.head_of("GET", "/page/index.html"), piece=1)
        self.assertEqual((whole.status, whole.body), (pieces.status, pieces.body))

    def chunked(self, *chunks, extension=b""):
        body = b"".join(b"%x%s\r\n%s\r\n" % (len(c), extension, c) for c in chunks)
        return httpraw.head_of("POST", "/api/publish", [
            ("X-API-Key", names.API_KEY), ("Transfer-Encoding", "chunked")]) + body + b"0\r\n\r\n"

    def test_a_chunked_body_is_put_together(self):
        body = self.publish_body()
        data = self.chunked(body[:5], body[5:6], body[6:])
        for piece in (None, 1, 7):
            with self.subTest(piece=piece):
                response = httpraw.exchange(self.gateway.address(), data, piece)
                self.assertEqual(response.json(), {"result": {}})

    def test_a_request_after_a_chunked_one_is_answered(self):
        with httpraw.Connection(self.gateway.address()) as connection:
            connection.send(self.chunked(self.publish_body())
                            + httpraw.head_of("GET", "/page/index.html"))
            self.assertEqual(connection.read_response().status, 200)
            self.assertEqual(connection.read_response().status, 200)

    def test_a_sized_body_byte_by_byte_is_put_together(self):
        body = self.publish_body()
        head = httpraw.head_of("POST", "/api/publish", [
            ("X-API-Key", names.API_KEY), ("Content-Length", str(len(body)))])
        response = httpraw.exchange(self.gateway.address(), head + body, piece=1)
        self.assertEqual(response.json(), {"result": {}})

    def test_expect_100_continue_is_answered_before_the_body(self):
        body = self.publish_body()
        with httpraw.Connection(self.gateway.address()) as connection:
            connection.send(httpraw.head_of("POST", "/api/publish", [
                ("X-API-Key", names.API_KEY), ("Content-Length", str(len(body))),
                ("Expect", "100-continue")]))
            self.assertEqual(connection.read_head()[0], 100)
            connection.send(body)
            self.assertEqual(connection.read_response().json(), {"result": {}})

    def test_expect_with_a_body_past_the_limit_is_refused_without_100(self):
        with httpraw.Connection(self.gateway.address()) as connection:
            connection.send(httpraw.head_of("POST", "/api/publish", [
                ("X-API-Key", names.API_KEY), ("Content-Length", "20000"),
                ("Expect", "100-continue")]))
            cases.assert_refusal(self, connection.read_response(), 413)

    def test_head_says_what_get_says_without_the_body(self):
        with httpraw.Connection(self.gateway.address()) as connection:
            got = self.get_ok(connection)
            connection.send(httpraw.head_of("HEAD", "/page/index.html"))
            head = connection.read_response(head=True)
            self.assertEqual(head.status, 200)
            self.assertEqual(head.header("content-length"), str(len(got.body)))
            self.get_ok(connection)

    def test_head_of_an_unknown_path_has_no_body(self):
        with httpraw.Connection(self.gateway.address()) as connection:
            connection.send(httpraw.head_of("HEAD", "/nowhere"))
            self.assertEqual(connection.read_response(head=True).status, 404)
            self.get_ok(connection)

    def test_blank_lines_between_requests_are_harmless(self):
        with httpraw.Connection(self.gateway.address()) as connection:
            self.get_ok(connection)
            connection.send(b"\r\n" + httpraw.head_of("GET", "/page/index.html"))
            self.assertIn(connection.read_response().status, (200, 400))

    def test_a_body_of_exactly_the_limit_is_taken(self):
        body = b'{"channel":"strict","data":"' + b"x" * (16384 - 30) + b'"}'
        self.assertEqual(len(body), 16384)
        response = httpraw.request(self.gateway.address(), "POST", "/api/publish",
                                   [("X-API-Key", names.API_KEY)], body)
        self.assertEqual(response.status, 200, response)

    def test_an_absolute_target_does_not_escape_routing(self):
        response = httpraw.exchange(
            self.gateway.address(),
            b"GET http://localhost/page/index.html HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertIn(response.status, (200, 400, 404))


class Deadlines(PageGateway):
    """Nobody may hold a connection by being slow."""

    config = gateway.with_setting(gateway.with_setting(gateway.with_setting(
        config_with_page(), names.HEAD_TIMEOUT, "1s"), names.BODY_TIMEOUT, "1s"),
        names.IDLE_TIMEOUT, "1s")

    def test_half_a_head_is_408_after_the_deadline(self):
        with httpraw.Connection(self.gateway.address()) as connection:
            began = time.monotonic()
            connection.send(b"GET /page/index.html HTTP/1.1\r\nHost: lo")
            cases.assert_refusal(self, connection.read_response(), 408)
            self.assertTrue(connection.is_closed())
            self.assertLess(time.monotonic() - began, 5)

    def test_a_head_that_trickles_is_408_all_the_same(self):
        with httpraw.Connection(self.gateway.address()) as connection:
            began = time.monotonic()
            connection.socket.settimeout(0.2)
            status = None
            for byte in b"GET /page/index.html HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"b" * 40:
                try:
                    connection.socket.sendall(bytes([byte]))
                    connection._more()
                    if b"\r\n\r\n" in connection.kept:
                        break
                except TimeoutError:
                    continue
                except OSError:
                    break
            connection.socket.settimeout(5)
            status = connection.read_response().status
            self.assertEqual(status, 408)
            self.assertLess(time.monotonic() - began, 5)

    def test_half_a_body_is_408_after_the_deadline(self):
        with httpraw.Connection(self.gateway.address()) as connection:
            connection.send(httpraw.head_of("POST", "/api/publish", [
                ("X-API-Key", names.API_KEY), ("Content-Length", "100")]) + b"{")
            cases.assert_refusal(self, connection.read_response(), 408)
            self.assertTrue(connection.is_closed())

    def test_an_idle_kept_connection_is_closed(self):
        with httpraw.Connection(self.gateway.address()) as connection:
            self.get_ok(connection)
            self.assertTrue(connection.is_closed(timeout=5))

    def test_a_connection_that_says_nothing_is_closed(self):
        with httpraw.Connection(self.gateway.address()) as connection:
            connection.socket.settimeout(5)
            data = connection.socket.recv(4096)
            self.assertTrue(data == b"" or b" 408 " in data, data)


if __name__ == "__main__":
    unittest.main()
