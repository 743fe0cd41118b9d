"""Listeners: TCP v4 and v6, Unix sockets, and what each of them serves."""

import os
import socket
import stat
import unittest

from support import cases, gateway, httpraw, names, wsraw

INTERNAL_PATHS = ("/metrics", "/api/info")


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


class Separate(cases.GatewayCase):
    """One listener for clients, one for services and operators."""

    config = gateway.settings(workers=2, listeners=[
        {"name": "main", "address": "127.0.0.1", "port": 0, "serves": ["public"]},
        {"name": "inside", "address": "127.0.0.1", "port": 0, "serves": ["internal"]},
    ])

    def status(self, listener, method, path):
        return httpraw.request(self.gateway.address(listener), method, path,
                               [("X-API-Key", names.API_KEY)], b"{}" if method == "POST" else b"")

    def test_the_api_and_metrics_are_not_on_the_public_listener(self):
        for method, path in (("GET", "/metrics"), ("POST", "/api/info"), ("POST", "/api/publish")):
            with self.subTest(path=path):
                self.assertEqual(self.status("main", method, path).status, 404)

    def test_they_are_on_the_internal_one(self):
        self.assertEqual(self.status("inside", "GET", "/metrics").status, 200)
        self.assertEqual(self.status("inside", "POST", "/api/info").status, 200)
        self.assertEqual(self.status("inside", "GET", "/readyz").status, 200)
        self.assertEqual(self.status("inside", "GET", "/livez").status, 200)

    def test_routes_are_on_the_public_one_alone(self):
        with wsraw.WebSocket(self.gateway.address("main"), "/echo") as ws:
            ws.send(wsraw.TEXT, b"hi")
            self.assertEqual(ws.read_message(), (wsraw.TEXT, b"hi"))
        self.assertEqual(self.status("inside", "GET", "/echo").status, 404)


class Together(cases.GatewayCase):
    """No internal listener configured: the public one serves everything."""

    config = gateway.settings(listeners=[
        {"name": "main", "address": "127.0.0.1", "port": 0, "serves": ["public"]}])

    def test_the_public_listener_serves_the_api_and_metrics(self):
        self.assertEqual(httpraw.get(self.gateway.address(), "/metrics").status, 200)
        response = httpraw.request(self.gateway.address(), "POST", "/api/info",
                                   [("X-API-Key", names.API_KEY)], b"{}")
        self.assertEqual(response.status, 200)


class Unix(unittest.TestCase):
    """A Unix socket beside TCP."""

    def make(self, folder_gateway):
        path = str(folder_gateway.folder / "gate.sock")
        folder_gateway.config["listeners"].append(
            {"name": "local", "path": path, "serves": ["public"]})
        return path

    def test_a_unix_socket_serves_and_is_removed_at_the_end(self):
        under_test = gateway.Gateway(gateway.settings(workers=2))
        path = self.make(under_test)
        with under_test:
            self.assertTrue(stat.S_ISSOCK(os.stat(path).st_mode))
            for _ in range(10):
                with wsraw.WebSocket(path, "/echo") as ws:
                    ws.send(wsraw.TEXT, b"hi")
                    self.assertEqual(ws.read_message(), (wsraw.TEXT, b"hi"))
            self.assertEqual(httpraw.get(path, "/no/such").status, 404)
            under_test.own_folder = False
        self.assertFalse(os.path.exists(path))
        under_test.own_folder = True
        under_test._clean()

    def test_a_socket_left_behind_does_not_stop_a_start(self):
        under_test = gateway.Gateway(gateway.settings())
        path = self.make(under_test)
        left = socket.socket(socket.AF_UNIX)
        left.bind(path)
        left.close()
        with under_test:
            self.assertEqual(httpraw.get(path, "/no/such").status, 404)

    def test_a_file_that_is_no_socket_is_not_removed(self):
        under_test = gateway.Gateway(gateway.settings())
        path = self.make(under_test)
        with open(path, "w", encoding="ascii") as file:
            file.write("precious\n")
        under_test.start(wait=False)
        status = under_test.wait()
        self.assertNotEqual(status, 0)
        with open(path, encoding="ascii") as file:
            self.assertEqual(file.read(), "precious\n")
        under_test.kill()


class Several(unittest.TestCase):
    """Addresses and ports."""

    @unittest.skipUnless(has_ipv6(), "no IPv6 here")
    def test_ipv6_serves(self):
        config = gateway.settings(workers=2, listeners=[
            {"name": "main", "address": "::1", "port": 0, "serves": ["public", "internal"]}])
        with gateway.Gateway(config) as under_test:
            with wsraw.WebSocket(under_test.address(), "/echo") as ws:
                ws.send(wsraw.TEXT, b"hi")
                self.assertEqual(ws.read_message(), (wsraw.TEXT, b"hi"))

    def test_three_listeners_serve_the_same_channels(self):
        config = gateway.settings(workers=2, listeners=[
            {"name": name, "address": "127.0.0.1", "port": 0, "serves": ["public", "internal"]}
            for name in ("one", "two", "three")])
        with gateway.Gateway(config) as under_test:
            self.assertEqual(len(set(under_test.ports.values())), 3)
            with wsraw.WebSocket(under_test.address("one"), "/channels/x?format=json") as ws:
                ws.read_message()
                answer = httpraw.request(
                    under_test.address("three"), "POST", "/api/publish",
                    [("X-API-Key", names.API_KEY)], b'{"channel":"x","data":1}')
                self.assertEqual(answer.json(), {"result": {}})
                self.assertEqual(ws.read_message()[0], wsraw.TEXT)

    def test_a_port_in_use_is_an_error_that_names_it(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            config = gateway.settings(listeners=[
                {"name": "main", "address": "127.0.0.1", "port": port, "serves": ["public"]}])
            under_test = gateway.Gateway(config).start(wait=False)
            status = under_test.wait()
            text = "\n".join(under_test.lines)
            under_test.kill()
            self.assertNotEqual(status, 0)
            self.assertIn(str(port), text)


if __name__ == "__main__":
    unittest.main()
