"""The demonstration: the price service against a gateway that comes and goes, and deploy/up."""

import http.server
import importlib.util
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from support import gateway, httpraw, wsraw

SERVICE = gateway.REPOSITORY / "examples" / "prices" / "service.py"


def load_service():
    spec = importlib.util.spec_from_file_location("prices_service", SERVICE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Flaky(http.server.ThreadingHTTPServer):
    """Stands in for the API: keeps what was published, loses some answers, refuses some calls."""

    daemon_threads = True

    def __init__(self, chance_of_loss=0.0, seed=1):
        super().__init__(("127.0.0.1", 0), FlakyHandler)
        self.random = random.Random(seed)
        self.chance_of_loss = chance_of_loss
        self.published = []
        self.seen = set()
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()


class FlakyHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        call = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        lost = self.server.random.random()
        if lost < self.server.chance_of_loss / 2:
            self.close_connection = True  # before it took effect
            return
        if call["idempotency_key"] not in self.server.seen:
            self.server.seen.add(call["idempotency_key"])
            self.server.published.append((call["channel"], call["data"]["sequence"]))
        if lost < self.server.chance_of_loss:
            self.close_connection = True  # after it took effect
            return
        answer = b'{"result":{}}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


class Service(unittest.TestCase):
    """examples/prices/service.py"""

    def setUp(self):
        self.service = load_service()
        self.service.BACKOFF_FIRST = 0.01
        self.service.BACKOFF_MAX = 0.05

    def test_lost_answers_neither_lose_nor_repeat_a_price(self):
        server = Flaky(chance_of_loss=0.3)
        self.addCleanup(server.close)
        publisher = self.service.Publisher(f"http://127.0.0.1:{server.server_port}", "k", 2)
        self.service.run(publisher, self.service.Market(1), 0.005, 40)
        publisher.close()
        for symbol in self.service.STOCKS:
            numbers = [n for channel, n in server.published if channel == f"prices:{symbol}"]
            self.assertEqual(numbers, list(range(1, 41)))

    def test_prices_stay_positive_and_near_where_they_began(self):
        market = self.service.Market(3)
        for _ in range(5000):
            for channel, data, _ in market.tick():
                start = self.service.STOCKS[data["symbol"]]
                self.assertEqual(channel, "prices:" + data["symbol"])
                self.assertTrue(start / 3 < data["price"] < start * 3, data)

    def test_a_refusal_is_not_tried_again(self):
        with gateway.Gateway() as under_test:
            publisher = self.service.Publisher(under_test.url("").rstrip("/"), "wrong")
            with self.assertRaises(self.service.Refused):
                publisher.publish("prices:ACME", 1, "k")
            publisher.close()


class Up(unittest.TestCase):
    """deploy/up in a copy of the tree whose build is done already."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tidegate-up-"))
        self.addCleanup(shutil.rmtree, self.folder)
        for name in ("deploy", "examples"):
            shutil.copytree(gateway.REPOSITORY / name, self.folder / name)
        (self.folder / "build").mkdir()
        (self.folder / "build" / "build.ninja").touch()
        os.symlink(gateway.BINARY, self.folder / "build" / "tidegate")
        tools = self.folder / "tools"
        tools.mkdir()
        (tools / "meson").write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
        (tools / "meson").chmod(0o755)
        self.environment = gateway.sanitizer_environment()
        self.environment["PATH"] = f"{tools}:{self.environment['PATH']}"
        self.port = free_port()

    def start(self):
        self.log = open(self.folder / "log", "w+b")
        self.addCleanup(self.log.close)
        process = subprocess.Popen(
            [self.folder / "deploy" / "up", "--no-install", "--port", str(self.port)],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT,
            env=self.environment, start_new_session=True)
        self.addCleanup(self.end, process)
        deadline = time.monotonic() + 30
        while b"open http" not in self.text():
            self.assertIsNone(process.poll(), self.text())
            self.assertLess(time.monotonic(), deadline, self.text())
            time.sleep(0.05)
        return process

    def end(self, process):
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def text(self):
        return (self.folder / "log").read_bytes()

    def test_one_command_gives_a_page_and_moving_prices(self):
        process = self.start()
        self.assertIn(f"open http://localhost:{self.port}/".encode(), self.text())
        address = ("127.0.0.1", self.port)
        page = httpraw.get(address, "/")
        self.assertIn(b"prices.js", page.body)
        for name in ("prices.js", "prices.css"):
            self.assertEqual(httpraw.get(address, f"/{name}").status, 200)
        with wsraw.WebSocket(address, "/channels/prices:ACME?format=json&history=60") as ws:
            ws.read_message()
            first = json.loads(ws.read_message()[1])
            second = json.loads(ws.read_message()[1])
        self.assertEqual(second["offset"], first["offset"] + 1)
        self.assertEqual(second["data"]["symbol"], "ACME")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(30), 0, self.text())
        with self.assertRaises(OSError):
            socket.create_connection(address, 1).close()

    def test_ctrl_c_ends_it_all_with_status_0(self):
        process = self.start()
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(30), 0, self.text())
        self.assertNotIn(b"Sanitizer", self.text())

    def test_a_wrong_argument_is_2(self):
        for arguments in (["--port", "x"], ["--port", "70000"], ["--port"], ["--nonsense"],
                          ["--config", "nothing.json"]):
            done = subprocess.run([self.folder / "deploy" / "up", *arguments], check=False,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  env=self.environment, timeout=20)
            self.assertEqual(done.returncode, 2, (arguments, done))
            self.assertTrue(done.stderr)


if __name__ == "__main__":
    unittest.main()
