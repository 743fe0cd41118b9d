"""Clients that nobody here wrote: node-ws and gorilla/websocket."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from support import cases, gateway, names

CLIENTS = pathlib.Path(__file__).resolve().parent / "clients"
NODE_MODULES = "/usr/share/nodejs"
GO_PATH = "/usr/share/gocode"

CONFIG = gateway.settings(
    (names.ALLOWED_ORIGINS, ["http://localhost"]),
    channel={"namespaces": [{"name": "kept", "history_size": 200, "history_ttl": "10m"}]})


class Node(cases.GatewayCase):
    """node-ws, which offers permessage-deflate by default."""

    config = CONFIG

    @classmethod
    def setUpClass(cls):
        if not shutil.which("node") or not os.path.isdir(f"{NODE_MODULES}/ws"):
            raise unittest.SkipTest("node-ws is not installed")
        super().setUpClass()

    def run_client(self, mode, path, *more):
        done = subprocess.run(
            ["node", str(CLIENTS / "node_client.js"), mode, self.gateway.ws(path), *more],
            env={**os.environ, "NODE_PATH": NODE_MODULES}, timeout=40, check=True,
            stdout=subprocess.PIPE, text=True)
        return json.loads(done.stdout)

    def test_text_and_binary_come_back_in_order(self):
        self.assertEqual(self.run_client("echo", "/echo", "200"),
                         {"got": 200, "wrong": 0, "pongs": 1, "code": 4001})

    def test_fragments_come_back_whole(self):
        self.assertEqual(self.run_client("fragments", "/echo"), {"text": "one two three"})

    def test_history_arrives_in_order(self):
        with self.gateway.api() as api:
            for i in range(50):
                api.publish("kept:node", i)
        result = self.run_client("subscribe", "/channels/kept:node?history=50", "50")
        self.assertEqual(result["messages"], [str(i) for i in range(50)])
        self.assertEqual(result["code"], 1000)

    def test_a_foreign_origin_is_told_403(self):
        self.assertEqual(self.run_client("refused", "/echo"), {"status": 403})


class Gorilla(cases.GatewayCase):
    """gorilla/websocket, compiled once."""

    config = CONFIG

    @classmethod
    def setUpClass(cls):
        go = "/usr/bin/go" if os.path.exists("/usr/bin/go") else shutil.which("go")
        if not go or not os.path.isdir(f"{GO_PATH}/src/github.com/gorilla/websocket"):
            raise unittest.SkipTest("go or gorilla/websocket is not installed")
        cls.folder = tempfile.mkdtemp(prefix="tidegate-gorilla-")
        cls.program = os.path.join(cls.folder, "gorilla")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        subprocess.run(
            [go, "build", "-o", cls.program, str(CLIENTS / "gorilla" / "main.go")], check=True,
            timeout=240, env={**os.environ, "GO111MODULE": "off", "GOPATH": GO_PATH,
                              "GOFLAGS": "", "CGO_ENABLED": "0",
                              "GOCACHE": os.path.join(cls.folder, "cache")})
        super().setUpClass()

    def run_client(self, mode, path, *more):
        done = subprocess.run([self.program, mode, self.gateway.ws(path), *more], timeout=40,
                              check=True, stdout=subprocess.PIPE, text=True)
        return json.loads(done.stdout)

    def test_fragmented_text_and_binary_come_back_in_order(self):
        self.assertEqual(self.run_client("echo", "/echo", "200"),
                         {"got": 200, "wrong": 0, "pongs": 1, "code": 4002})

    def test_history_arrives_in_order(self):
        with self.gateway.api() as api:
            for i in range(50):
                api.publish("kept:gorilla", i)
        result = self.run_client("subscribe", "/channels/kept:gorilla?history=50", "50")
        self.assertEqual(result["messages"], [str(i) for i in range(50)])


if __name__ == "__main__":
    unittest.main()
