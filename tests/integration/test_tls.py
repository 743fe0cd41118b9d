"""TLS on listeners: versions, names, resumption, reload, limits, and clients nobody here wrote."""

import asyncio
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

import websockets

from support import cases, gateway, httpraw, wsraw

FOLDER = None
MIB = 1 << 20


def openssl(*args, cwd=None, text=b""):
    return subprocess.run(["openssl", *args], cwd=cwd or FOLDER, input=text, timeout=30,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


def must(*args):
    done = openssl(*args)
    assert done.returncode == 0, done.stdout.decode()


def make_certificate(name, names, issuer="ca", kind="ec"):
    """NAME.pem and NAME.key in FOLDER, signed by the authority `issuer`."""
    key = ["-newkey", "rsa:2048"] if kind == "rsa" else \
        ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    must("req", *key, "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr",
         "-subj", f"/CN={name}")
    extension = pathlib.Path(FOLDER, f"{name}.ext")
    extension.write_text("subjectAltName=" + ",".join(names) + "\n", encoding="ascii")
    must("x509", "-req", "-in", f"{name}.csr", "-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key",
         "-CAcreateserial", "-days", "2", "-out", f"{name}.pem", "-extfile", f"{name}.ext")


def make_authority(name):
    must("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "2", "-subj", f"/CN={name}")


def setUpModule():
    global FOLDER
    FOLDER = tempfile.mkdtemp(prefix="tidegate-tls-")
    make_authority("ca")
    make_authority("stranger")
    make_certificate("one", ["DNS:one.test", "DNS:localhost", "IP:127.0.0.1"])
    make_certificate("two", ["DNS:two.test", "DNS:*.two.test"], kind="rsa")
    make_certificate("renewed", ["DNS:one.test", "DNS:localhost"])
    make_certificate("service", ["DNS:service"])
    make_certificate("intruder", ["DNS:intruder"], issuer="stranger")


def tearDownModule():
    shutil.rmtree(FOLDER, ignore_errors=True)


def path_of(name):
    return os.path.join(FOLDER, name)


def pair(name):
    return {"certificate": path_of(f"{name}.pem"), "key": path_of(f"{name}.key")}


def listeners(*names, **tls):
    """A TLS listener "main" with the certificates named, and a plain one for the metrics."""
    return [{"name": "main", "address": "127.0.0.1", "port": 0, "serves": ["public"],
             "tls": {"certificates": [pair(name) for name in names], **tls}},
            {"name": "inside", "address": "127.0.0.1", "port": 0, "serves": ["internal"]}]


def trusting(authority="ca", version=None):
    context = ssl.create_default_context(cafile=path_of(f"{authority}.pem"))
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


class Secure(httpraw.Connection):
    """A connection with TLS over it."""

    def __init__(self, address, name="localhost", context=None, session=None, timeout=15):
        super().__init__(address, timeout)
        context = context or trusting()
        try:
            self.socket = context.wrap_socket(self.socket, server_hostname=name, session=session)
        except BaseException:
            self.socket.close()
            raise

    def names(self):
        return sorted(value for _, value in self.socket.getpeercert()["subjectAltName"])


def upgrade(connection, path="/echo"):
    """A wsraw.WebSocket over a connection that is there already."""
    ws = wsraw.WebSocket.__new__(wsraw.WebSocket)
    ws.connection = connection
    connection.send(httpraw.head_of("GET", path, wsraw.upgrade_headers()))
    status, reason, answer = connection.read_head()
    assert status == 101, f"the upgrade was answered {status} {reason}"
    ws.headers = dict(answer)
    return ws


def say(ws, text=b"hello"):
    ws.send(wsraw.TEXT, text)
    return ws.read_message()


class Versions(cases.GatewayCase):
    """What is spoken, and how what is not is refused."""

    @classmethod
    def make_config(cls):
        return gateway.settings(("http.idle_timeout", "500ms"), workers=2,
                                listeners=listeners("one", "two"))

    def failures(self, reason):
        return self.gateway.metrics().value("tidegate_tls_handshakes_failed_total", reason=reason)

    def test_1_2_and_1_3_carry_websockets(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version=version), \
                    Secure(self.gateway.address(), context=trusting(version=version)) as secure:
                self.assertEqual(secure.socket.version().replace(".", "_"), version.name)
                self.assertEqual(say(upgrade(secure)), (wsraw.TEXT, b"hello"))

    def test_1_1_is_refused_and_counted(self):
        before = self.failures("version_or_cipher")
        done = openssl("s_client", "-connect", "%s:%d" % self.gateway.address(), "-tls1_1",
                       "-cipher", "ALL:@SECLEVEL=0")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(b"alert protocol version", done.stdout)
        self.gateway.wait_for_metric("tidegate_tls_handshakes_failed_total",
                                     lambda value: value > before, reason="version_or_cipher")

    def test_1_2_without_forward_secrecy_is_refused(self):
        for cipher in ("AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256"):
            with self.subTest(cipher=cipher):
                done = openssl("s_client", "-connect", "%s:%d" % self.gateway.address(),
                               "-tls1_2", "-cipher", cipher)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(b"handshake failure", done.stdout)

    def test_plain_http_is_told_so(self):
        before = self.failures("not_tls")
        answer = httpraw.get(self.gateway.address(), "/echo")
        self.assertEqual(answer.status, 400)
        self.assertIn("HTTPS", answer.json()["error"]["message"])
        self.assertEqual(self.failures("not_tls"), before + 1)

    def test_noise_is_closed(self):
        for noise in (b"\x00" * 64, b"SSH-2.0-OpenSSH\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 200,
                      b"\x16\x03\x01\x00\x05\x01\x00\x00\x01x"):
            with self.subTest(noise=noise[:12]), \
                    httpraw.Connection(self.gateway.address()) as connection:
                connection.send(noise)
                connection.socket.settimeout(5)
                with contextlib.suppress(ConnectionResetError):
                    while connection.socket.recv(4096):
                        pass
        self.gateway.wait_for_metric("tidegate_tls_handshakes_running", lambda value: value == 0)

    def test_http_1_1_is_negotiated_and_others_alone_are_refused(self):
        context = trusting()
        context.set_alpn_protocols(["h2", "http/1.1"])
        with Secure(self.gateway.address(), context=context) as secure:
            self.assertEqual(secure.socket.selected_alpn_protocol(), "http/1.1")
        context = trusting()
        context.set_alpn_protocols(["h2"])
        with self.assertRaisesRegex(ssl.SSLError, "(?i)no.application.protocol"):
            Secure(self.gateway.address(), context=context).close()

    def test_the_certificate_fits_the_name_asked_for(self):
        for name, wanted in (("one.test", "one.test"), ("two.test", "two.test"),
                             ("deep.two.test", "two.test"), ("DEEP.Two.Test", "two.test")):
            with self.subTest(name=name), Secure(self.gateway.address(), name) as secure:
                self.assertIn(wanted, secure.names())

    def test_the_first_certificate_serves_unknown_names_and_none(self):
        context = trusting()
        context.check_hostname = False
        for name in ("unknown.test", "a.b.two.test", None):
            with self.subTest(name=name), \
                    Secure(self.gateway.address(), name, context) as secure:
                self.assertIn("one.test", secure.names())

    def test_renegotiation_is_refused(self):
        done = subprocess.Popen(
            ["openssl", "s_client", "-connect", "%s:%d" % self.gateway.address(), "-tls1_2"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        done.stdin.write(b"R\n")
        done.stdin.flush()
        output, _ = done.communicate(timeout=15)
        self.assertRegex(output, b"(?i)no renegotiation|handshake failure|RENEGOTIATING")
        with Secure(self.gateway.address()) as secure:
            self.assertEqual(say(upgrade(secure)), (wsraw.TEXT, b"hello"))

    def test_an_end_is_said_goodbye_to(self):
        with Secure(self.gateway.address()) as secure:
            secure.socket.suppress_ragged_eofs = False
            secure.send(httpraw.head_of("GET", "/no/such", [("Connection", "close")]))
            self.assertEqual(secure.read_response().status, 404)
            self.assertEqual(secure.socket.recv(10), b"")  # raises where it was cut off
        with Secure(self.gateway.address()) as secure:
            secure.socket.suppress_ragged_eofs = False
            secure.send(httpraw.head_of("GET", "/no/such"))
            self.assertEqual(secure.read_response().status, 404)
            self.assertEqual(secure.socket.recv(10), b"")  # its idle timeout

    def test_a_close_notify_behind_a_request_does_not_lose_the_answer(self):
        # The peer ends its direction of TLS and keeps the socket open: no edge tells of that.
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = trusting().wrap_bio(incoming, outgoing, server_hostname="localhost")
        with httpraw.Connection(self.gateway.address()) as raw:
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    raw.socket.sendall(outgoing.read())
                    incoming.write(raw.socket.recv(65536))
            tls.write(httpraw.head_of("GET", "/no/such"))
            with contextlib.suppress(ssl.SSLError):
                tls.unwrap()
            raw.socket.sendall(outgoing.read())
            while True:
                data = raw.socket.recv(65536)
                if not data:
                    break
                incoming.write(data)
        # Python reads no more after unwrap(); the size of what came shows the answer.
        self.assertGreater(incoming.pending, 100)


class Resumption(cases.GatewayCase):
    """A client that comes back resumes, at any worker and after a reload."""

    @classmethod
    def make_config(cls):
        return gateway.settings(workers=4, listeners=listeners("one", "two"))

    def again(self, version):
        context = trusting(version=version)
        with Secure(self.gateway.address(), context=context) as secure:
            self.assertFalse(secure.socket.session_reused)
            say(upgrade(secure))  # tickets of 1.3 come behind the handshake
            session = secure.socket.session
        return context, session

    def test_at_any_worker(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context, session = self.again(version)
            for _ in range(12):
                with Secure(self.gateway.address(), context=context, session=session) as secure:
                    self.assertTrue(secure.socket.session_reused, version)
                    self.assertEqual(say(upgrade(secure)), (wsraw.TEXT, b"hello"))

    def test_after_a_reload(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context, session = self.again(version)
            mark = len(self.gateway.lines)
            self.gateway.signal(signal.SIGHUP)
            self.gateway.wait_for_line("msg=\"?reloaded", since=mark)
            with Secure(self.gateway.address(), context=context, session=session) as secure:
                self.assertTrue(secure.socket.session_reused, version)

    def test_with_openssl_s_client(self):
        address = "%s:%d" % self.gateway.address()
        for version in ("-tls1_2", "-tls1_3"):
            head = httpraw.head_of("GET", "/no/such", [("Connection", "close")])
            common = ["s_client", "-connect", address, version, "-CAfile", "ca.pem",
                      "-servername", "one.test", "-ign_eof"]
            first = openssl(*common, "-sess_out", "session.pem", text=head)
            self.assertIn(b"New, TLS", first.stdout)
            second = openssl(*common, "-sess_in", "session.pem", text=head)
            self.assertIn(b"Reused, TLS", second.stdout, version)
            self.assertIn(b"404", second.stdout)

    def test_is_counted(self):
        before = self.gateway.metrics().value("tidegate_tls_handshakes_total", resumed="yes")
        context, session = self.again(ssl.TLSVersion.TLSv1_3)
        Secure(self.gateway.address(), context=context, session=session).close()
        self.gateway.wait_for_metric("tidegate_tls_handshakes_total",
                                     lambda value: value == before + 1, resumed="yes")

    def test_not_where_it_is_switched_off(self):
        config = gateway.settings(listeners=listeners("one", session_tickets=False))
        with gateway.Gateway(config) as under_test:
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                context = trusting(version=version)
                with Secure(under_test.address("main"), context=context) as secure:
                    say(upgrade(secure))
                    session = secure.socket.session
                with Secure(under_test.address("main"), context=context,
                            session=session) as secure:
                    self.assertFalse(secure.socket.session_reused)


class Reload(unittest.TestCase):
    """Certificates are replaced under live connections."""

    def reload(self, under_test, wanted):
        mark = len(under_test.lines)
        under_test.signal(signal.SIGHUP)
        return under_test.wait_for_line(wanted, since=mark)

    def copy(self, name, to):
        for kind in ("pem", "key"):
            shutil.copy(path_of(f"{name}.{kind}"), path_of(f"{to}.{kind}"))

    def test_new_connections_get_the_new_one_and_old_ones_stay(self):
        self.copy("one", "live")
        config = gateway.settings(workers=2, listeners=listeners("live"))
        with gateway.Gateway(config) as under_test:
            kept = [upgrade(Secure(under_test.address("main"))) for _ in range(6)]
            half = httpraw.Connection(under_test.address("main"))
            half.send(b"\x16\x03\x01")  # a handshake that began with the old one
            self.assertIn("127.0.0.1", kept[0].connection.names())
            self.copy("renewed", "live")
            self.reload(under_test, "msg=\"?reloaded")
            deadline = time.monotonic() + 5
            while True:
                with Secure(under_test.address("main")) as secure:
                    if "127.0.0.1" not in secure.names():
                        break
                self.assertLess(time.monotonic(), deadline)
            for ws in kept:
                self.assertEqual(say(ws), (wsraw.TEXT, b"hello"))
                ws.connection.close()
            half.close()

    def test_a_broken_file_keeps_the_old_one(self):
        self.copy("one", "live")
        config = gateway.settings(listeners=listeners("live"))
        with gateway.Gateway(config) as under_test:
            for name, text in (("live.key", "no key\n"), ("live.pem", "")):
                pathlib.Path(path_of(name)).write_text(text, encoding="ascii")
                line = self.reload(under_test, "TLS cannot be used")
                self.assertIn(path_of(name), line)
                with Secure(under_test.address("main")) as secure:
                    self.assertEqual(say(upgrade(secure)), (wsraw.TEXT, b"hello"))
                self.copy("one", "live")
            self.copy("two", "live")
            shutil.copy(path_of("one.key"), path_of("live.key"))
            self.assertIn("live.key", self.reload(under_test, "TLS cannot be used"))
            self.copy("one", "live")
            self.reload(under_test, "msg=\"?reloaded")

    def test_tls_can_be_given_to_a_listener_that_had_none(self):
        plain = listeners()
        with gateway.Gateway(gateway.settings(listeners=plain)) as under_test:
            with wsraw.WebSocket(under_test.address("main"), "/echo") as ws:
                under_test.write_config(gateway.settings(listeners=listeners("one", "two")))
                self.reload(under_test, "msg=\"?reloaded")
                deadline = time.monotonic() + 5
                while time.monotonic() < deadline:
                    with contextlib.suppress(OSError), \
                            Secure(under_test.address("main"), "two.test") as secure:
                        self.assertIn("two.test", secure.names())
                        break
                else:
                    self.fail("no TLS after the reload")
                self.assertEqual(say(ws), (wsraw.TEXT, b"hello"))

    def test_reloads_under_load_drop_nothing(self):
        config = gateway.settings(workers=2, listeners=listeners("one", "two"))
        with gateway.Gateway(config) as under_test:
            kept = [upgrade(Secure(under_test.address("main"))) for _ in range(4)]
            for turn in range(20):
                under_test.signal(signal.SIGHUP)
                with Secure(under_test.address("main")) as secure:
                    self.assertEqual(say(upgrade(secure), b"%d" % turn),
                                     (wsraw.TEXT, b"%d" % turn))
                for ws in kept:
                    self.assertEqual(say(ws), (wsraw.TEXT, b"hello"))
            for ws in kept:
                ws.connection.close()


class ClientCertificates(cases.GatewayCase):
    """Services show who they are on the internal listener."""

    @classmethod
    def make_config(cls):
        entries = listeners("one")
        entries += [{"name": name, "address": "127.0.0.1", "port": 0, "serves": ["internal"],
                     "tls": {"certificates": [pair("one")], "client_ca": path_of("ca.pem"),
                             "client_verify": mode}}
                    for name, mode in (("services", "require"), ("either", "request"))]
        return gateway.settings(workers=2, listeners=entries)

    def context(self, name=None, version=None):
        context = trusting(version=version)
        if name is not None:
            context.load_cert_chain(path_of(f"{name}.pem"), path_of(f"{name}.key"))
        return context

    def ask(self, listener, context):
        with Secure(self.gateway.address(listener), context=context) as secure:
            secure.send(httpraw.head_of("GET", "/metrics"))
            return secure.read_response().status

    def test_required_one_lets_in(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            self.assertEqual(self.ask("services", self.context("service", version)), 200)

    def test_without_it_nobody_comes_in(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for name in (None, "intruder"):
                with self.subTest(version=version, name=name), \
                        self.assertRaises((ssl.SSLError, ConnectionError)):
                    self.ask("services", self.context(name, version))
        metrics = self.gateway.metrics()
        self.assertGreaterEqual(metrics.value("tidegate_tls_handshakes_failed_total",
                                              reason="client_certificate"), 4)

    def test_asked_for_only_it_may_be_left_out_but_not_be_wrong(self):
        self.assertEqual(self.ask("either", self.context()), 200)
        self.assertEqual(self.ask("either", self.context("service")), 200)
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.ask("either", self.context("intruder"))

    def test_a_session_of_another_listener_opens_no_door(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self.context(version=version)
            with Secure(self.gateway.address("main"), context=context) as secure:
                say(upgrade(secure))
                session = secure.socket.session
            with self.assertRaises((ssl.SSLError, ConnectionError)), \
                    Secure(self.gateway.address("services"), context=context,
                           session=session) as secure:
                secure.send(httpraw.head_of("GET", "/metrics"))
                secure.read_response()

    def test_with_curl(self):
        url = "https://localhost:%d/metrics" % self.gateway.ports["services"]
        command = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--cacert",
                   path_of("ca.pem"), url]
        done = subprocess.run(command + ["--cert", path_of("service.pem"), "--key",
                                         path_of("service.key")],
                              stdout=subprocess.PIPE, timeout=20, check=False)
        self.assertEqual(done.stdout, b"200")
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              timeout=20, check=False)
        self.assertNotEqual(done.returncode, 0)


class Handshakes(unittest.TestCase):
    """They have a deadline and a limit, and do not hurt others."""

    def test_byte_by_byte_it_works(self):
        config = gateway.settings(listeners=listeners("one"))
        with gateway.Gateway(config) as under_test:
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = trusting().wrap_bio(incoming, outgoing, server_hostname="localhost")
            with httpraw.Connection(under_test.address("main")) as raw:
                def send():
                    for byte in outgoing.read():
                        raw.socket.sendall(bytes([byte]))
                done = False
                while not done:
                    try:
                        tls.do_handshake()
                        done = True
                    except ssl.SSLWantReadError:
                        send()
                        incoming.write(raw.socket.recv(65536))
                tls.write(httpraw.head_of("GET", "/no/such"))
                send()
                answer = b""
                while b"404" not in answer:
                    try:
                        answer += tls.read()
                    except ssl.SSLWantReadError:
                        incoming.write(raw.socket.recv(65536))

    def test_the_kernel_may_carry_it_or_not(self):
        for kernel in (True, False):
            config = gateway.settings(("tls.kernel", kernel), listeners=listeners("one"))
            with self.subTest(kernel=kernel), gateway.Gateway(config) as under_test:
                raw = socket.create_connection(under_test.address("main"), 10)
                with trusting().wrap_socket(raw, server_hostname="localhost") as tls:
                    tls.sendall(httpraw.head_of("GET", "/no/such"))
                    self.assertIn(b" 404 ", tls.recv(4096))

    def test_a_slow_one_is_closed(self):
        config = gateway.settings(("tls.handshake_timeout", "300ms"), listeners=listeners("one"))
        with gateway.Gateway(config) as under_test:
            with httpraw.Connection(under_test.address("main")) as slow:
                began = time.monotonic()
                slow.send(b"\x16\x03\x01\x02")
                self.assertTrue(slow.is_closed(5))
                self.assertGreater(time.monotonic() - began, 0.25)
            with Secure(under_test.address("main")) as secure:
                time.sleep(0.5)  # the deadline was of the handshake alone
                self.assertEqual(say(upgrade(secure)), (wsraw.TEXT, b"hello"))
            metrics = under_test.metrics()
            self.assertEqual(metrics.value("tidegate_tls_handshakes_failed_total",
                                           reason="timeout"), 1)

    def test_a_thousand_half_open_ones_hurt_nobody(self):
        config = gateway.settings(("tls.handshake_timeout", "20s"), workers=2,
                                  listeners=listeners("one"))
        with gateway.Gateway(config) as under_test, contextlib.ExitStack() as stack:
            ws = upgrade(stack.enter_context(Secure(under_test.address("main"))))
            for _ in range(1000):
                half = stack.enter_context(httpraw.Connection(under_test.address("main")))
                half.send(b"\x16\x03\x01\x02\x00\x01\x00\x01")
            under_test.wait_for_metric("tidegate_tls_handshakes_running",
                                       lambda value: value == 1000)
            began = time.monotonic()
            for _ in range(50):
                self.assertEqual(say(ws), (wsraw.TEXT, b"hello"))
            with Secure(under_test.address("main")) as secure:
                self.assertEqual(say(upgrade(secure)), (wsraw.TEXT, b"hello"))
            self.assertLess(time.monotonic() - began, 5)

    def test_past_the_limit_they_are_closed_and_counted(self):
        config = gateway.settings(("tls.handshakes_max", 5), workers=2, listeners=listeners("one"))
        with gateway.Gateway(config) as under_test:
            half = [httpraw.Connection(under_test.address("main")) for _ in range(5)]
            for connection in half:
                connection.send(b"\x16")
            under_test.wait_for_metric("tidegate_tls_handshakes_running", lambda value: value == 5)
            with httpraw.Connection(under_test.address("main")) as sixth:
                self.assertTrue(sixth.is_closed(5))
            metrics = under_test.metrics()
            self.assertEqual(metrics.value("tidegate_tls_handshakes_failed_total",
                                           reason="limit"), 1)
            for connection in half:
                connection.close()
            under_test.wait_for_metric("tidegate_tls_handshakes_running", lambda value: value == 0)
            with Secure(under_test.address("main")) as secure:
                self.assertEqual(say(upgrade(secure)), (wsraw.TEXT, b"hello"))

    def test_a_stop_does_not_wait_for_them(self):
        config = gateway.settings(("tls.handshake_timeout", "1m"), listeners=listeners("one"))
        with gateway.Gateway(config) as under_test:
            half = httpraw.Connection(under_test.address("main"))
            half.send(b"\x16\x03")
            under_test.wait_for_metric("tidegate_tls_handshakes_running", lambda value: value == 1)
            began = time.monotonic()
            under_test.stop()
            self.assertLess(time.monotonic() - began, 5)
            half.close()


class Data(cases.AsyncGatewayCase):
    """Bytes both ways, with a client nobody here wrote."""

    @classmethod
    def make_config(cls):
        return gateway.settings(
            ("websocket.message_size_limit", "17MiB"), ("client.queue_max_size", "64MiB"),
            workers=2, listeners=listeners("one"))

    def connect(self, **options):
        return websockets.connect(
            f"wss://localhost:{self.gateway.ports['main']}/echo", ssl=trusting(),
            max_size=None, **options)

    async def test_websockets_over_wss(self):
        for compression in (None, "deflate"):
            async with self.connect(compression=compression) as ws:
                for size in (0, 1, 125, 126, 16383, 16384, 16385, 65536, 100000):
                    await ws.send("x" * size)
                    self.assertEqual(len(await ws.recv()), size)

    async def test_sixteen_mebibytes_there_and_back(self):
        message = os.urandom(16 * MIB)
        async with self.connect(compression=None, ping_interval=None) as ws:
            await ws.send(message)
            self.assertEqual(await asyncio.wait_for(ws.recv(), 60), message)
            await ws.send(b"still there")
            self.assertEqual(await ws.recv(), b"still there")

    async def test_many_messages_in_a_row_keep_their_order(self):
        async with self.connect(compression=None) as ws:
            async def send():
                for number in range(2000):
                    await ws.send(f"{number} " + "y" * (number % 3000))
            sender = asyncio.create_task(send())
            for number in range(2000):
                self.assertEqual((await ws.recv()).split(" ")[0], str(number))
            await sender

    async def test_a_reader_that_stops_and_goes_on_gets_every_byte(self):
        # The socket is full in the middle of a record, again and again.
        def run():
            with Secure(self.gateway.address("main")) as secure:
                secure.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
                ws = upgrade(secure)
                message = os.urandom(MIB)
                for _ in range(4):
                    ws.send(wsraw.BINARY, message)
                time.sleep(0.5)
                for _ in range(4):
                    kind, data = ws.read_message()
                    self.assertEqual((kind, data == message), (wsraw.BINARY, True))
        await asyncio.get_running_loop().run_in_executor(None, run)

    async def test_key_updates_are_answered(self):
        def run():
            client = subprocess.Popen(
                ["openssl", "s_client", "-connect", "%s:%d" % self.gateway.address("main"),
                 "-tls1_3"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT)
            for command in (b"K\n", b"k\n", b"K\n",  # one a read: asking for ours, not asking
                            httpraw.head_of("GET", "/no/such", [("Connection", "close")])):
                time.sleep(0.3)
                client.stdin.write(command)
                client.stdin.flush()
            time.sleep(0.5)
            return client.communicate(timeout=15)[0]
        output = await asyncio.get_running_loop().run_in_executor(None, run)
        self.assertEqual(output.count(b"KEYUPDATE"), 3)
        self.assertIn(b"404 Not Found", output)


class Proxied(unittest.TestCase):
    """TLS behind a load balancer that passes it on with the PROXY protocol."""

    def test_the_header_comes_before_the_handshake(self):
        entries = listeners("one")
        entries[0].update(proxy_protocol="required", proxy_trusted=["127.0.0.0/8"])
        header = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n"
        with gateway.Gateway(gateway.settings(workers=2, listeners=entries)) as under_test:
            for together in (False, True):
                incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
                tls = trusting().wrap_bio(incoming, outgoing, server_hostname="localhost")
                with contextlib.suppress(ssl.SSLWantReadError):
                    tls.do_handshake()
                with httpraw.Connection(under_test.address("main")) as raw:
                    if not together:
                        raw.send(header)
                        time.sleep(0.1)
                    raw.send((header if together else b"") + outgoing.read())
                    while True:
                        incoming.write(raw.socket.recv(65536))
                        try:
                            tls.do_handshake()
                            break
                        except ssl.SSLWantReadError:
                            pass
                    tls.write(httpraw.head_of("GET", "/no/such", [("Connection", "close")]))
                    raw.send(outgoing.read())
                    answer = b""
                    while b"404" not in answer:
                        with contextlib.suppress(ssl.SSLWantReadError):
                            answer += tls.read()
                            continue
                        incoming.write(raw.socket.recv(65536))
            under_test.wait_for_line("peer=192.0.2.7:4711")


class Files(unittest.TestCase):
    """What is wrong with files is told before anything starts."""

    def check(self, *names, **tls):
        with tempfile.TemporaryDirectory(prefix="tidegate-test-") as folder:
            under_test = gateway.Gateway(gateway.settings(listeners=listeners(*names, **tls)),
                                         folder=folder)
            under_test.write_config(under_test.config)
            done = gateway.run_command("check", "--config", under_test.config_file)
            if done.returncode != 0:
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
                started = under_test.start(wait=False)
                self.assertNotEqual(started.wait(), 0)
                self.assertIn(names[0] if names[0] in done.stderr else "tls",
                              "\n".join(started.lines))
            return done

    def write(self, name, text):
        pathlib.Path(path_of(name)).write_text(text, encoding="ascii")

    def test_right_ones_pass(self):
        self.assertEqual(self.check("one", "two").returncode, 0)

    def test_wrong_ones_are_named(self):
        good_key = pathlib.Path(path_of("one.key")).read_text(encoding="ascii")
        good_pem = pathlib.Path(path_of("one.pem")).read_text(encoding="ascii")
        must("ec", "-in", "one.key", "-aes128", "-passout", "pass:secret", "-out", "locked.key")
        self.write("locked.pem", good_pem)
        for name, certificate, key, wanted in (
                ("missing", None, None, "missing.pem"), ("nokey", good_pem, None, "nokey.key"),
                ("empty", "", good_key, "empty.pem"), ("junk", good_pem, "junk\n", "junk.key"),
                ("other", good_pem, pathlib.Path(path_of("two.key")).read_text("ascii"),
                 "other.key"),
                ("locked", good_pem, None, "locked.key")):
            with self.subTest(name=name):
                if certificate is not None:
                    self.write(f"{name}.pem", certificate)
                if key is not None:
                    self.write(f"{name}.key", key)
                done = self.check(name)
                self.assertEqual(done.returncode, 2)
                self.assertIn(path_of(wanted), done.stderr)
                self.assertNotIn("PRIVATE", done.stderr)

    def test_a_wrong_authority_and_wrong_ciphers_are_named(self):
        done = self.check("one", client_verify="require", client_ca=path_of("nobody.pem"))
        self.assertIn("nobody.pem", done.stderr)
        done = self.check("one", ciphers="NO-SUCH-CIPHER")
        self.assertIn("NO-SUCH-CIPHER", done.stderr)


class Curl(cases.GatewayCase):
    """HTTP over TLS with curl."""

    @classmethod
    def make_config(cls):
        plain, secure = reversed(listeners("one", min_version="1.3"))
        secure["serves"] = ["public", "internal"]
        return gateway.settings(listeners=[plain, secure])

    def curl(self, *options):
        return subprocess.run(
            ["curl", "-sS", "--cacert", path_of("ca.pem"), *options,
             "https://localhost:%d/readyz" % self.gateway.ports["main"]],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20, check=False)

    def test_it_works(self):
        done = self.curl("--tlsv1.3")
        self.assertEqual((done.returncode, done.stdout), (0, b'{"status":"ok"}'), done.stderr)

    def test_an_older_version_than_asked_for_is_refused(self):
        self.assertNotEqual(self.curl("--tls-max", "1.2").returncode, 0)


if __name__ == "__main__":
    unittest.main()
