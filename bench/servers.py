"""The servers that are measured: how each is started, and what it can do.

A server is started fresh for every run, bound to its CPU, on a free port, and ended by its process
number. Nothing is installed here: `missing()` says which Debian package would bring a peer.
"""

import json
import os
import pathlib
import random
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
NODE_PATH = "/usr/share/nodejs"
GO_PATH = "/usr/share/gocode"
NCHAN_MODULE = "/usr/lib/nginx/modules/ngx_nchan_module.so"
START_SECONDS = 20
STOP_SECONDS = 15
PORTS = range(10000, 32000)  # below the ports the kernel gives to outgoing connections
API_KEY = "bench-key"

ALL_ROWS = ("echo", "fanout1", "fanout16", "idle", "accept")
TLS_ROWS = ("echo_tls", "fanout_tls", "idle_tls")


class ServerError(Exception):
    """A server did not start, or ended by itself."""


def free_port():
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def children_of(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(word) for word in text.split()]


class Running:
    """One started server: port, process numbers, and its end."""

    def __init__(self, server, cpus, ping_seconds):
        self.name = server.name
        self.folder = tempfile.mkdtemp(prefix="tidegate-bench-")
        self.port = free_port()
        self.log = open(os.path.join(self.folder, "log"), "w+", encoding="utf-8")
        command = server.command(self.port, self.folder, ping_seconds)
        self.process = subprocess.Popen(
            command, cwd=self.folder, env={**os.environ, **server.environment},
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            preexec_fn=lambda: self._prepare(cpus))
        try:
            self._wait_until_listening()
        except BaseException:
            self.stop()
            raise

    @staticmethod
    def _prepare(cpus):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        if cpus:
            os.sched_setaffinity(0, cpus)

    def _wait_until_listening(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                status = self.process.returncode
                raise ServerError(f"{self.name} ended with {status}: {self.text()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                time.sleep(0.2)  # for what it still does after it listens
                return
            except OSError:
                time.sleep(0.05)
        raise ServerError(f"{self.name} does not listen: {self.text()}")

    def text(self):
        self.log.flush()
        with open(self.log.name, encoding="utf-8", errors="replace") as file:
            return file.read()[-1000:]

    @property
    def pids(self):
        return [self.process.pid, *children_of(self.process.pid)]

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                for pid in self.pids:
                    os.kill(pid, signal.SIGKILL)
                self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Server:
    """What is common: a name, the rows it takes part in, the paths of its three roles."""

    name = ""
    rows = ALL_ROWS
    environment = {}
    echo_path = "/echo"
    subscribe_path = "/channels/bench"
    publish_path = "/pub/bench"
    http_path = None  # where a POST publishes
    load = ()  # further arguments of the load generator

    def missing(self):
        """What is not there, as a sentence, or None."""
        return None

    def version(self):
        return ""

    def command(self, port, folder, ping_seconds):
        raise NotImplementedError

    def start(self, cpus, ping_seconds=0):
        return Running(self, cpus, ping_seconds)


def output_of(*command, **options):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=60, check=False, **options)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


class Certificate:
    """A self-signed one for this machine's tests, made once in the build folder."""

    def __init__(self, folder):
        self.file = str((folder / "certificate.pem").resolve())
        self.key = str((folder / "key.pem").resolve())

    def missing(self):
        if os.path.exists(self.file) and os.path.exists(self.key):
            return None
        if shutil.which("openssl") is None:
            return "needs the package openssl for a certificate"
        output_of("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                  "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650", "-subj",
                  "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                  "-keyout", self.key, "-out", self.file)
        return None if os.path.exists(self.file) else "got no certificate from openssl"


class Gateway(Server):
    """Also the divisor of its own variants, and then a second time in each round as `again`."""

    http_path = "/channels/bench"

    def __init__(self, binary, variant="", rows=ALL_ROWS, **changes):
        self.name = "tidegate" + variant
        self.rows = rows
        self.binary = str(binary)
        self.workers = changes.get("workers", 1)
        self.load = changes.get("load", ())
        self.certificate = changes.get("certificate")

    def has_setting(self, name):
        return f'"{name}"' in output_of(self.binary, "config", "--schema")

    def version(self):
        return output_of(self.binary, "version").split("\n")[0]

    def command(self, port, folder, ping_seconds):
        ping = ping_seconds or 25
        client = {
            "allowed_origins": ["*"],
            "connection_limit": 0,
            "connections_per_address": 0,
            "ping_interval": f"{ping}s",
            "pong_timeout": f"{min(8, ping - 1)}s",
        }
        listener = {"name": "main", "address": "127.0.0.1", "port": port,
                    "serves": ["public", "internal"]}
        if self.certificate:
            listener["tls"] = {"certificates": [{"certificate": self.certificate.file,
                                                 "key": self.certificate.key}]}
        settings = {
            "workers": self.workers,
            "log": {"level": "error"},
            "listeners": [listener],
            "http_api": {"key": API_KEY},
            "client": client,
            "channel": {"without_namespace": {"history_size": 0, "history_ttl": "0s"}},
            "shutdown": {"drain_timeout": "100ms"},
            "routes": [
                {"path": "/echo", "kind": "echo"},
                {"path": "/channels/{channel}", "kind": "channel", "channel": "{channel}"},
                {"path": "/pub/{channel}", "kind": "channel", "channel": "{channel}",
                 "client_publish": True, "exclude_sender": True},
            ],
        }
        file = os.path.join(folder, "tidegate.json")
        with open(file, "w", encoding="utf-8") as out:
            json.dump(settings, out, indent=4)
        return [self.binary, "serve", "--config", file]


class Floor(Server):
    """Started a second time in each round as `again`: its ratio to the first shows the noise."""

    def __init__(self, binary, send, again=""):
        self.name = f"floor ({send}){again}"
        self.binary = str(binary)
        self.send = send
        if again:
            self.rows = ("echo", "fanout1") if send == "each" else ("fanout16",)
        else:
            self.rows = ALL_ROWS if send == "each" else ("fanout16",)

    def command(self, port, folder, ping_seconds):
        return [self.binary, "--port", str(port), "--send", self.send]


class Node(Server):
    name = "node-ws"
    environment = {"NODE_PATH": NODE_PATH, "NODE_ENV": "production"}

    def missing(self):
        if shutil.which("node") is None or not os.path.isdir(f"{NODE_PATH}/ws"):
            return "needs the packages nodejs and node-ws"
        return None

    def version(self):
        package = json.loads(pathlib.Path(f"{NODE_PATH}/ws/package.json").read_text("utf-8"))
        return f"ws {package['version']}, node {output_of('node', '--version')}"

    def command(self, port, folder, ping_seconds):
        return ["node", str(HERE / "peers" / "ws_server.cjs"), str(port), str(ping_seconds)]


class Python(Server):
    name = "python3-websockets"

    def missing(self):
        if not output_of("/usr/bin/python3", "-c", "import websockets; print('yes')"):
            return "needs the package python3-websockets"
        return None

    def version(self):
        code = "import websockets, sys; print(f'websockets {websockets.__version__}, "\
               "python {sys.version.split()[0]}')"
        return output_of("/usr/bin/python3", "-c", code)

    def command(self, port, folder, ping_seconds):
        file = str(HERE / "peers" / "websockets_server.py")
        return ["/usr/bin/python3", file, str(port), str(ping_seconds)]


class Gorilla(Server):
    name = "gorilla"

    def __init__(self, build):
        self.binary = str(build / "gorilla")
        self.go = "/usr/bin/go" if os.path.exists("/usr/bin/go") else shutil.which("go")

    def missing(self):
        if self.go is None or not os.path.isdir(f"{GO_PATH}/src/github.com/gorilla/websocket"):
            return "needs the packages golang-go and golang-github-gorilla-websocket-dev"
        environment = {**os.environ, "GO111MODULE": "off", "GOPATH": GO_PATH, "GOFLAGS": ""}
        done = subprocess.run([self.go, "build", "-o", self.binary, "."], env=environment,
                              cwd=HERE / "peers" / "gorilla", stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        return f"does not build: {done.stdout.strip()[:300]}" if done.returncode != 0 else None

    def version(self):
        package = output_of("dpkg-query", "-W", "-f", "${Version}",
                            "golang-github-gorilla-websocket-dev")
        words = output_of(self.go, "version").split()
        return f"websocket {package}, {words[2] if len(words) > 2 else 'go'}"

    def command(self, port, folder, ping_seconds):
        return [self.binary, str(port), str(ping_seconds)]


class Nchan(Server):
    name = "nginx + nchan"
    rows = ("fanout1", "fanout16", "idle", "accept", "http")
    echo_path = "/channels/bench"  # for the accept row: it has no echo
    http_path = "/pub/bench"

    def missing(self):
        if shutil.which("nginx", path="/usr/sbin:/usr/bin") is None or \
                not os.path.exists(NCHAN_MODULE):
            return "needs the packages nginx-light and libnginx-mod-nchan"
        return None

    def version(self):
        nchan = output_of("dpkg-query", "-W", "-f", "${Version}", "libnginx-mod-nchan")
        return f"nchan {nchan}, {output_of('/usr/sbin/nginx', '-v').split('/')[-1]}"

    def command(self, port, folder, ping_seconds):
        text = (HERE / "peers" / "nchan.conf").read_text("utf-8")
        values = {"@PORT@": port, "@FOLDER@": folder, "@PING@": ping_seconds}
        for key, value in values.items():
            text = text.replace(key, str(value))
        file = os.path.join(folder, "nginx.conf")
        with open(file, "w", encoding="utf-8") as out:
            out.write(text)
        os.chmod(folder, 0o755)  # its worker runs as another user
        return ["/usr/sbin/nginx", "-p", folder, "-e", "stderr", "-c", file]
