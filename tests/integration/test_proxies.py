"""Behind a real HAProxy and a real nginx, set up as docs/proxies.md says: the client's address is
in the log and in the limits, however it is passed on, and nobody can make one up."""

import contextlib
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

from support import cases, gateway, httpraw, wsraw

DOCS = gateway.REPOSITORY / "docs" / "proxies.md"
PATH = "/usr/sbin:/usr/bin:/usr/local/sbin"
HAPROXY = shutil.which("haproxy", path=PATH)
NGINX = shutil.which("nginx", path=PATH)
STREAM_MODULE = pathlib.Path("/usr/lib/nginx/modules/ngx_stream_module.so")
PROXY = "127.0.0.1"  # where the balancers connect from
FOLDER = None

NGINX_TEMPORARY = "".join(f"    {kind}_temp_path {{folder}}/{kind};\n" for kind in
                          ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))


def setUpModule():
    global FOLDER
    FOLDER = tempfile.mkdtemp(prefix="tidegate-proxies-")
    pathlib.Path(FOLDER, "index.html").write_text("<p>a page</p>\n", encoding="ascii")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem", "-out",
                    "certificate.pem", "-days", "2", "-subj", "/CN=localhost"], cwd=FOLDER,
                   check=True, timeout=30, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def tearDownModule():
    shutil.rmtree(FOLDER, ignore_errors=True)


def snippet(kind):
    """The block of docs/proxies.md that begins with ```KIND."""
    blocks = re.findall(r"^```" + re.escape(kind) + r"\n(.*?)^```$", DOCS.read_text("utf-8"),
                        re.MULTILINE | re.DOTALL)
    assert blocks, f"no block {kind} in {DOCS.name}"
    return blocks


def free_port():
    with socket.socket() as probe:
        probe.bind((PROXY, 0))
        return probe.getsockname()[1]


class Balancer:
    """A balancer in front of a port of the gateway, from a block of the documentation."""

    def __init__(self, kind, gateway_port, *changes):
        self.folder = tempfile.mkdtemp(prefix="tidegate-balancer-")
        self.address = (PROXY, free_port())
        text, = snippet(kind)
        text = re.sub(r"\bbind :80\b", f"bind {PROXY}:{self.address[1]}", text)
        text = re.sub(r"\blisten 80;", f"listen {PROXY}:{self.address[1]};", text)
        text = re.sub(r"10\.0\.1\.5:\d+", f"{PROXY}:{gateway_port}", text)
        for old, new in changes:
            assert old in text, f"{old!r} is not in the block {kind}"
            text = text.replace(old, new)
        program, context = kind.split()
        command = getattr(self, program)(context, text)
        # To a file: a pipe that nobody reads would block it.
        self.output = open(pathlib.Path(self.folder, "output"), "w+b")
        self.process = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL,
                                        stdout=self.output, stderr=subprocess.STDOUT)
        self.wait()

    def haproxy(self, _, text):
        file = pathlib.Path(self.folder, "haproxy.cfg")
        file.write_text("global\n    maxconn 200\n\n" + text, encoding="ascii")
        return [HAPROXY, "-db", "-f", str(file)]

    def nginx(self, context, text):
        file = pathlib.Path(self.folder, "nginx.conf")
        load = f"load_module {STREAM_MODULE};\n" if context == "stream" else ""
        own = "access_log off;\n" + NGINX_TEMPORARY.format(folder=self.folder) \
            if context == "http" else ""
        file.write_text(f"{load}daemon off;\nmaster_process off;\nerror_log stderr;\n"
                        f"pid {self.folder}/nginx.pid;\nevents {{ worker_connections 200; }}\n"
                        f"{context} {{\n{own}{text}}}\n", encoding="ascii")
        return [NGINX, "-p", self.folder, "-e", "stderr", "-c", str(file)]

    def wait(self):
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(self.address, 1).close()
                return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    self.output.seek(0)
                    text = self.output.read().decode("utf-8", "replace")
                    self.stop()
                    raise AssertionError(f"the balancer did not begin:\n{text}") from None
                time.sleep(0.02)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.output.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def config(*pairs, **more):
    """Listeners with and without a PROXY header, for balancers on PROXY alone."""
    trusted = {"proxy_protocol": "required", "proxy_trusted": [PROXY], "proxy_timeout": "1s"}
    certificate = {"certificate": f"{FOLDER}/certificate.pem", "key": f"{FOLDER}/key.pem"}
    result = gateway.settings(("client.trusted_proxies", [PROXY]), *pairs, listeners=[
        {"name": "main", "address": "127.0.0.1", "port": 0, "serves": ["public", "internal"]},
        {"name": "proxied", "address": "127.0.0.1", "port": 0, "serves": ["public"], **trusted},
        {"name": "secure", "address": "127.0.0.1", "port": 0, "serves": ["public"], **trusted,
         "tls": {"certificates": [certificate]}},
    ], **more)
    result["routes"].append({"path": "/pages/*", "kind": "files", "root": FOLDER})
    return result


class ProxyCase(cases.GatewayCase):
    @classmethod
    def make_config(cls):
        return config(("log.rate_limit", 1000), workers=2)

    def setUp(self):
        super().setUp()
        self.since = len(self.gateway.lines)

    def port(self, listener):
        return self.gateway.address(listener)[1]

    def expect_closed(self, peer, via=PROXY):
        """A line of the log that a connection of `peer` ended."""
        tail = rf".* via={re.escape(via)}:\d+$" if via else r"(?!.* via=)"
        return self.gateway.wait_for_line(
            rf'"connection closed" peer={re.escape(peer)}:\d+\b{tail}', since=self.since)

    def check_echo(self, address, source, headers=()):
        with wsraw.WebSocket(address, "/echo", headers, source=source) as ws:
            ws.send(wsraw.TEXT, b"who am I")
            self.assertEqual(ws.read_message(), (wsraw.TEXT, b"who am I"))

    def check_page(self, address, source):
        with contextlib.closing(httpraw.Connection(address, source=source)) as connection:
            for _ in range(2):
                connection.send(httpraw.head_of("GET", "/pages/index.html"))
                response = connection.read_response()
                self.assertEqual((response.status, response.body), (200, b"<p>a page</p>\n"))

    def check_clients(self, address, headers=()):
        for source in ("127.0.0.7", "127.0.0.8"):
            with self.subTest(source=source):
                self.check_echo(address, source, headers)
                self.expect_closed(source)
        self.check_page(address, "127.0.0.9")


@unittest.skipUnless(HAPROXY, "haproxy is not installed")
class BehindHaproxy(ProxyCase):
    def test_version_2_of_the_header_names_the_client(self):
        with Balancer("haproxy tcp", self.port("proxied")) as front:
            self.check_clients(front.address)
            self.expect_closed("127.0.0.9")
            # Its health check speaks for nobody, and is served all the same.
            self.gateway.wait_for_metric("tidegate_proxy_headers_total", lambda n: n >= 1,
                                         source="local")

    def test_version_1_of_the_header_names_the_client(self):
        with Balancer("haproxy tcp", self.port("proxied"), ("send-proxy-v2", "send-proxy")) as front:
            self.check_clients(front.address)
            self.expect_closed("127.0.0.9")

    def test_its_checksum_and_further_fields_are_understood(self):
        options = "send-proxy-v2 proxy-v2-options crc32c,unique-id,authority"
        with Balancer("haproxy tcp", self.port("proxied"), ("send-proxy-v2", options)) as front:
            self.check_clients(front.address)

    def test_tls_begins_behind_the_header(self):
        trust = ssl.create_default_context(cafile=f"{FOLDER}/certificate.pem")
        with Balancer("haproxy tcp", self.port("secure")) as front:
            with socket.create_connection(front.address, 10, ("127.0.0.7", 0)) as plain, \
                    trust.wrap_socket(plain, server_hostname="localhost") as connection:
                connection.sendall(httpraw.head_of("GET", "/pages/index.html"))
                self.assertTrue(connection.recv(4096).startswith(b"HTTP/1.1 200"))
            self.expect_closed("127.0.0.7")

    def test_x_forwarded_for_names_the_client(self):
        with Balancer("haproxy http", self.port("main")) as front:
            self.check_clients(front.address)

    def test_an_address_that_a_client_made_up_does_not_count(self):
        with Balancer("haproxy http", self.port("main")) as front:
            self.check_clients(front.address, [("X-Forwarded-For", "203.0.113.66"),
                                               ("Forwarded", "for=203.0.113.66"),
                                               ("X-Real-IP", "203.0.113.66")])

    def test_forwarded_names_the_client(self):
        with Balancer("haproxy http", self.port("main"), (
                "option forwardfor", "http-request add-header Forwarded for=%[src];proto=http")) \
                as front:
            self.check_clients(front.address, [("Forwarded", 'for="203.0.113.66')])


@unittest.skipUnless(HAPROXY, "haproxy is not installed")
class OneHeader(ProxyCase):
    """Only the header that the proxy writes is read."""

    @classmethod
    def make_config(cls):
        return config(("client.proxy_headers", ["forwarded"]), workers=2)

    def test_a_header_that_the_proxy_passes_on_does_not_count(self):
        with Balancer("haproxy http", self.port("main"), (
                "option forwardfor", "http-request add-header Forwarded for=%[src]")) as front:
            self.check_clients(front.address, [("X-Forwarded-For", "203.0.113.66"),
                                               ("Forwarded", "for=203.0.113.66")])


@unittest.skipUnless(NGINX, "nginx is not installed")
class BehindNginx(ProxyCase):
    @unittest.skipUnless(STREAM_MODULE.exists(), "nginx has no stream module")
    def test_its_header_names_the_client(self):
        with Balancer("nginx stream", self.port("proxied")) as front:
            self.check_clients(front.address)
            self.expect_closed("127.0.0.9")

    def test_x_forwarded_for_names_the_client(self):
        with Balancer("nginx http", self.port("main")) as front:
            self.check_clients(front.address)

    def test_an_address_that_a_client_made_up_does_not_count(self):
        with Balancer("nginx http", self.port("main")) as front:
            self.check_clients(front.address, [("X-Forwarded-For", "203.0.113.66, 203.0.113.67")])

    def test_x_real_ip_names_the_client(self):
        with Balancer("nginx http", self.port("main"), (
                "X-Forwarded-For $proxy_add_x_forwarded_for", "X-Real-IP $remote_addr")) as front:
            self.check_clients(front.address, [("X-Real-IP", "203.0.113.66")])

    def test_an_event_stream_has_its_client(self):
        with Balancer("nginx http", self.port("main")) as front:
            with contextlib.closing(httpraw.Connection(front.address, source="127.0.0.7")) as stream:
                stream.send(httpraw.head_of("GET", "/channels/news",
                                            [("Accept", "text/event-stream")]))
                self.assertEqual(stream.read_head()[0], 200)
            self.expect_closed("127.0.0.7")


@unittest.skipUnless(HAPROXY and NGINX, "haproxy and nginx are not installed")
class Limits(ProxyCase):
    """What is counted by address is the client's."""

    @classmethod
    def make_config(cls):
        return config(("client.connections_per_address", 2), ("log.rate_limit", 1000), workers=2)

    def check_limit(self, address):
        with contextlib.ExitStack() as stack:
            for source in ("127.0.0.7", "127.0.0.7", "127.0.0.8", "127.0.0.8"):
                stack.enter_context(wsraw.WebSocket(address, "/echo", source=source))
            with contextlib.closing(httpraw.Connection(address, source="127.0.0.7")) as third:
                third.send(httpraw.head_of("GET", "/echo", wsraw.upgrade_headers()))
                response = third.read_response()
                self.assertEqual(response.status, 503, response)
                self.assertIn(b"from this address", response.body)
            self.check_echo(address, "127.0.0.9")
        # Who has left makes room.
        for _ in range(4):
            self.expect_closed("127.0.0.7")
        deadline = time.monotonic() + 10
        while True:
            try:
                self.check_echo(address, "127.0.0.7")
                return
            except AssertionError:
                self.assertLess(time.monotonic(), deadline, "no room was made")
                time.sleep(0.05)

    def test_behind_a_header_of_haproxy(self):
        with Balancer("haproxy tcp", self.port("proxied")) as front:
            self.check_limit(front.address)

    def test_behind_x_forwarded_for_of_haproxy(self):
        with Balancer("haproxy http", self.port("main")) as front:
            self.check_limit(front.address)

    def test_behind_x_forwarded_for_of_nginx(self):
        with Balancer("nginx http", self.port("main")) as front:
            self.check_limit(front.address)


class Alone(ProxyCase):
    """Without a balancer: peers that pretend to be one."""

    HEADER = b"PROXY TCP4 203.0.113.9 127.0.0.1 4711 80\r\n"
    REQUEST = httpraw.head_of("GET", "/pages/index.html")

    def ask(self, listener, data, source=None, piece=None):
        with contextlib.closing(httpraw.Connection(self.gateway.address(listener),
                                                   source=source)) as connection:
            connection.send(data, piece, 0.001)
            return connection.read_response()

    def expect_refused(self, reason, data, source=None):
        labels = {"reason": reason}
        name = "tidegate_proxy_headers_refused_total"
        before = self.gateway.metrics().value(name, **labels)
        with contextlib.closing(httpraw.Connection(self.gateway.address("proxied"),
                                                   source=source)) as connection:
            with contextlib.suppress(OSError):
                connection.send(data)
            self.assertTrue(connection.is_closed())
        self.gateway.wait_for_metric(name, lambda value: value == before + 1, **labels)

    def test_a_header_and_a_request_may_come_in_any_pieces(self):
        two = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x09\x7f\0\0\1\x12\x67\0\x50"
        for header in (self.HEADER, two):
            for piece in (None, 1, 7):
                with self.subTest(header=header, piece=piece):
                    self.since = len(self.gateway.lines)
                    response = self.ask("proxied", header + self.REQUEST, piece=piece)
                    self.assertEqual(response.status, 200)
                    self.expect_closed("203.0.113.9")

    def test_a_local_connection_keeps_its_own_address(self):
        local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"
        self.assertEqual(self.ask("proxied", local + self.REQUEST).status, 200)
        self.expect_closed(PROXY, via=None)

    def test_an_untrusted_peer_is_closed_unheard(self):
        self.expect_refused("untrusted", self.HEADER + self.REQUEST, source="127.0.0.7")

    def test_a_request_without_a_header_is_closed(self):
        self.expect_refused("malformed", self.REQUEST)

    def test_half_a_header_is_closed_in_time(self):
        self.expect_refused("timeout", self.HEADER[:20])

    def test_a_header_where_none_is_awaited_is_a_bad_request(self):
        self.assertEqual(self.ask("main", self.HEADER + self.REQUEST).status, 400)

    def test_headers_of_an_untrusted_peer_do_not_count(self):
        self.check_echo(self.gateway.address("main"), "127.0.0.7",
                        [("X-Forwarded-For", "203.0.113.9"), ("Forwarded", "for=203.0.113.9"),
                         ("X-Real-IP", "203.0.113.9")])
        self.expect_closed("127.0.0.7", via=None)

    def test_a_header_of_one_balancer_may_bring_the_proxy_of_another(self):
        # The balancer brings the trusted proxy 127.0.0.1, and that brings its client.
        header = b"PROXY TCP4 127.0.0.1 127.0.0.1 4711 80\r\n"
        with contextlib.closing(httpraw.Connection(self.gateway.address("proxied"))) as connection:
            connection.send(header + httpraw.head_of("GET", "/echo", wsraw.upgrade_headers() + [
                ("X-Forwarded-For", "203.0.113.9")]))
            self.assertEqual(connection.read_head()[0], 101)
        self.expect_closed("203.0.113.9")

    def test_a_reload_changes_who_is_trusted(self):
        headers = [("X-Forwarded-For", "203.0.113.9")]
        with gateway.Gateway(config()) as own:
            for trusted, peer in (([PROXY], "203.0.113.9"), (["10.0.0.0/8"], PROXY),
                                  (["127.0.0.0/8"], "203.0.113.9")):
                own.write_config(config(("client.trusted_proxies", trusted)))
                since = len(own.lines)
                own.signal(1)
                own.wait_for_line(r'msg="reloaded"', since=since)
                deadline = time.monotonic() + 10
                while True:
                    since = len(own.lines)
                    wsraw.WebSocket(own.address("main"), "/echo", headers).close()
                    line = own.wait_for_line(r'"connection closed" peer=\S+ listener=main '
                                             r'reason="peer', since=since)
                    if f"peer={peer}:" in line:
                        break
                    self.assertLess(time.monotonic(), deadline, line)


class BySocket(unittest.TestCase):
    """A balancer on the same host, by Unix sockets."""

    def test_unix_trusts_who_comes_by_a_socket(self):
        paths = {name: f"{FOLDER}/{name}.sock" for name in ("http", "bytes")}
        listeners = config()["listeners"][:1] + [
            {"name": "http", "path": paths["http"], "serves": ["public"]},
            {"name": "bytes", "path": paths["bytes"], "serves": ["public"],
             "proxy_protocol": "required", "proxy_trusted": ["unix"]}]
        wanted = {**config(("client.trusted_proxies", ["unix"])), "listeners": listeners}
        upgrade = wsraw.upgrade_headers()
        with gateway.Gateway(wanted) as own:
            for name, start, headers in (
                    ("http", b"", [("X-Forwarded-For", "203.0.113.9")]),
                    ("bytes", b"PROXY TCP6 2001:db8::9 ::1 4711 80\r\n", [])):
                with contextlib.closing(httpraw.Connection(paths[name])) as connection:
                    connection.send(start + httpraw.head_of("GET", "/echo", upgrade + headers))
                    self.assertEqual(connection.read_head()[0], 101)
            own.wait_for_line(r'"connection closed" peer=203\.0\.113\.9:0 .* via=unix$')
            own.wait_for_line(r'"connection closed" peer=\[2001:db8::9\]:4711 .* via=unix$')


class Settings(unittest.TestCase):
    def check(self, text):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write(text)
            file.flush()
            return gateway.run_command("check", "--config", file.name)

    def test_the_settings_of_the_documentation_are_good_ones(self):
        for text in snippet("json"):
            done = self.check(text)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_header_is_required_of_somebody(self):
        done = self.check('{"listeners": [{"name": "a", "proxy_protocol": "required"}]}')
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("listeners.0.proxy_trusted", done.stderr)

    def test_what_is_no_network_is_refused(self):
        for wrong in ("10.0.0.0/33", "balancer", "10.0.0.0/8/8", "::1/129", "10.0.0.0/", ""):
            with self.subTest(wrong=wrong):
                done = self.check(f'{{"client": {{"trusted_proxies": ["{wrong}"]}}}}')
                self.assertNotEqual(done.returncode, 0)
                self.assertIn("client.trusted_proxies", done.stderr)

    def test_networks_of_every_kind_are_taken(self):
        done = self.check('{"client": {"trusted_proxies": ["10.0.0.0/8", "::1", "fd00::/8", "unix",'
                          '"::ffff:10.0.0.0/104", "0.0.0.0/0"]}}')
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
