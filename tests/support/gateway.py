"""Starts the real gateway in a temporary folder on ports of the system's choosing.

A test that leaves a sanitizer's report behind, or a gateway that does not end with status 0 when
asked to, fails: stop() raises AssertionError.
"""

import copy
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import threading
import time

from support import api, httpraw, metrics, names

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("TIDEGATE_BIN", str(REPOSITORY / "build-tests" / "tidegate"))
START_TIMEOUT = 20.0
STOP_TIMEOUT = 20.0
SANITIZER_MARKS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:",
                   "WARNING: ThreadSanitizer", "assertion failed")
LISTENING = re.compile(r'\bmsg="?listening"?')

BASE = {
    "workers": 1,
    "log": {"level": "info", "format": "text"},
    "listeners": [
        {"name": "main", "address": "127.0.0.1", "port": 0, "serves": ["public", "internal"]}
    ],
    "http_api": {"key": names.API_KEY},
    "client": {"allowed_origins": ["*"]},
    "shutdown": {"drain_timeout": "200ms"},
    "routes": [
        {"path": "/echo", "kind": "echo"},
        {"path": "/channels/{channel}", "kind": "channel", "channel": "{channel}"},
    ],
}


def merge(base, change):
    """A copy of `base` with `change` laid over it: objects merge, everything else replaces."""
    result = copy.deepcopy(base)
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merge(result[key], value)
        elif value is None:
            result.pop(key, None)
        else:
            result[key] = copy.deepcopy(value)
    return result


def with_setting(config, dotted, value):
    """A copy of `config` with one setting named by its dotted path."""
    result = copy.deepcopy(config)
    at = result
    *parents, last = dotted.split(".")
    for parent in parents:
        at = at.setdefault(parent, {})
    at[last] = value
    return result


def settings(*pairs, **config):
    """BASE laid over with `config`, then with (dotted, value) pairs."""
    result = merge(BASE, config)
    for dotted, value in pairs:
        result = with_setting(result, dotted, value)
    return result


def parse_fields(line):
    """The key=value fields of one log line in text format."""
    fields = {}
    for match in re.finditer(r'([\w.]+)=("(?:[^"\\]|\\.)*"|\S*)', line):
        value = match.group(2)
        fields[match.group(1)] = value[1:-1] if value.startswith('"') else value
    return fields


def sanitizer_environment():
    environment = dict(os.environ)
    for name in list(environment):
        if name.startswith("TIDEGATE_"):
            del environment[name]
    environment["ASAN_OPTIONS"] = "detect_leaks=1:exitcode=99:abort_on_error=0"
    environment["UBSAN_OPTIONS"] = "print_stacktrace=1:halt_on_error=1"
    environment["TSAN_OPTIONS"] = "exitcode=98:halt_on_error=0"
    return environment


def run_command(*args, env=None, cwd=None, timeout=20, input_text=None):
    """Runs `tidegate ARGS` to its end; returns the completed process with text output."""
    environment = sanitizer_environment()
    environment.update(env or {})
    return subprocess.run([BINARY, *map(str, args)], env=environment, cwd=cwd, timeout=timeout,
                          input=input_text, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False)


class Gateway:
    """One running gateway. Use as a context manager, or start() and stop()."""

    def __init__(self, config=None, *, args=(), env=None, nofile=None, folder=None):
        self.own_folder = folder is None
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="tidegate-test-"))
        self.config = copy.deepcopy(config if config is not None else BASE)
        self.config_file = self.folder / "tidegate.json"
        self.args = list(args)
        self.env = env or {}
        self.nofile = nofile
        self.process = None
        self.lines = []
        self.ports = {}
        self.listening = set()
        self.changed = threading.Condition()
        self.reader = None

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        else:
            self.kill()

    def write_config(self, config):
        self.config = copy.deepcopy(config)
        self.config_file.write_text(json.dumps(self.config, indent=4) + "\n", encoding="utf-8")

    def start(self, wait=True):
        self.write_config(self.config)
        environment = sanitizer_environment()
        environment.update(self.env)
        self.lines = []
        self.listening = set()
        self.process = subprocess.Popen(
            [BINARY, "serve", "--config", str(self.config_file), *self.args],
            cwd=self.folder, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            preexec_fn=self._limit if self.nofile else None)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        if wait:
            self.wait_until_listening()
        return self

    def _limit(self):
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.nofile, self.nofile))

    def _read(self):
        for raw in self.process.stdout:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            with self.changed:
                self.lines.append(line)
                if LISTENING.search(line):
                    fields = parse_fields(line)
                    name = fields.get("name", "main")
                    self.listening.add(name)
                    if "port" in fields:
                        self.ports.setdefault(name, int(fields["port"]))
                self.changed.notify_all()
        with self.changed:
            self.changed.notify_all()

    def wait_until_listening(self):
        wanted = {entry.get("name", "main") for entry in self.config.get("listeners", [{}])}
        deadline = time.monotonic() + START_TIMEOUT
        with self.changed:
            while not wanted <= self.listening:
                left = deadline - time.monotonic()
                if left <= 0 or not self.reader.is_alive():
                    text = "\n".join(self.lines[-40:])
                    self.kill()
                    raise AssertionError(f"the gateway did not begin to listen:\n{text}")
                self.changed.wait(min(left, 0.2))
        self.wait_until_ready(max(1.0, deadline - time.monotonic()))

    def wait_until_ready(self, timeout=START_TIMEOUT):
        """Until /readyz says 200, where a TCP listener serves it."""
        name = self.internal_name()
        if name not in self.ports:
            return
        deadline = time.monotonic() + timeout
        while True:
            try:
                if httpraw.get(self.address(name), "/readyz").status == 200:
                    return
            except OSError:
                pass
            if time.monotonic() > deadline or not self.is_running():
                text = "\n".join(self.lines[-40:])
                self.kill()
                raise AssertionError(f"the gateway did not become ready:\n{text}")
            time.sleep(0.02)

    def wait_for_line(self, pattern, timeout=10.0, since=0):
        """The first log line from `since` on that matches, or AssertionError."""
        expression = re.compile(pattern)
        deadline = time.monotonic() + timeout
        with self.changed:
            while True:
                for line in self.lines[since:]:
                    if expression.search(line):
                        return line
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"no log line like {pattern!r} in:\n"
                                         + "\n".join(self.lines[-40:]))
                self.changed.wait(min(left, 0.2))

    def internal_name(self):
        for entry in self.config.get("listeners", [{}]):
            if "internal" in entry.get("serves", []) and "path" not in entry:
                return entry.get("name", "main")
        return next(iter(self.ports), "main")

    @property
    def port(self):
        return self.ports.get("main") or next(iter(self.ports.values()))

    @property
    def pid(self):
        return self.process.pid

    def address(self, name=None):
        """(host, port) of a TCP listener."""
        name = name or next(iter(self.ports))
        for entry in self.config["listeners"]:
            if entry.get("name", "main") == name:
                host = entry.get("address", "127.0.0.1")
                host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
                return host, self.ports[name]
        return "127.0.0.1", self.ports[name]

    def url(self, path="/", scheme="http", name=None):
        host, port = self.address(name)
        host = f"[{host}]" if ":" in host else host
        return f"{scheme}://{host}:{port}{path}"

    def ws(self, path, name=None):
        return self.url(path, "ws", name)

    def api(self, key=names.API_KEY):
        """A client of the HTTP API on the listener that serves it."""
        return api.Api(self.address(self.internal_name()), key)

    def get(self, path, **options):
        return httpraw.get(self.address(options.pop("name", None)), path, **options)

    def metrics(self):
        answer = httpraw.get(self.address(self.internal_name()), "/metrics")
        assert answer.status == 200, f"/metrics answered {answer.status}"
        return metrics.parse(answer.body.decode("utf-8"))

    def wait_for_metric(self, name, wanted, timeout=10.0, **labels):
        """Until wanted(value) holds; returns the value."""
        deadline = time.monotonic() + timeout
        while True:
            value = self.metrics().value(name, **labels)
            if wanted(value):
                return value
            if time.monotonic() > deadline:
                raise AssertionError(f"{name}{labels} stayed {value}")
            time.sleep(0.05)

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=STOP_TIMEOUT):
        """The exit status, once it has ended by itself."""
        status = self.process.wait(timeout)
        self.reader.join(5)
        self.process.stdout.close()
        return status

    def stop(self, expected=0):
        """Ends it as an operator would and checks that it ended well."""
        if self.process is None:
            return
        try:
            if self.is_running():
                self.process.send_signal(signal.SIGTERM)
            try:
                status = self.wait()
            except subprocess.TimeoutExpired:
                text = "\n".join(self.lines[-40:])
                self.kill()
                raise AssertionError(f"the gateway did not stop in {STOP_TIMEOUT} s:\n{text}")
            text = "\n".join(self.lines)
            for mark in SANITIZER_MARKS:
                assert mark not in text, f"a sanitizer spoke:\n{text[-8000:]}"
            assert status == expected, f"exit status {status}:\n{text[-4000:]}"
        finally:
            self.process = None
            self._clean()

    def restart(self):
        """Stops it and starts it again on the same ports."""
        for entry in self.config["listeners"]:
            name = entry.get("name", "main")
            if name in self.ports:
                entry["port"] = self.ports[name]
        own, self.own_folder = self.own_folder, False
        self.stop()
        self.own_folder = own
        return self.start()

    def kill(self):
        """Ends it without ceremony, for when something has failed already."""
        if self.process is not None:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            if self.reader is not None and self.reader is not threading.current_thread():
                self.reader.join(5)
            self.process.stdout.close()
            self.process = None
        self._clean()

    def _clean(self):
        if self.own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)
