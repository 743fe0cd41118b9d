"""A small WebDriver client: starts chromedriver, opens pages, runs scripts in them."""

import http.client
import json
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

START_TIMEOUT = 60.0
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage", "--disable-default-apps", "--disable-extensions",
         "--disable-features=Translate,OptimizationHints,MediaRouter",
         "--no-default-browser-check", "--metrics-recording-only"]


def find_browser():
    """(chromium, chromedriver), or None when one of them is not here."""
    browser = shutil.which("chromium")
    driver = shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


class Browser:
    """One headless browser with a profile of its own. Use as a context manager."""

    def __init__(self, width=1000, height=700, flags=()):
        self.browser, program = find_browser()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tidegate-browser-"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.log = open(self.folder / "driver.log", "wb")
        self.driver = subprocess.Popen(
            [program, f"--port={self.port}", f"--log-path={self.folder / 'verbose.log'}"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.session = None
        self.size = (width, height)
        self.flags = list(flags)

    def __enter__(self):
        try:
            self._wait_for_driver()
            flags = [*FLAGS, *self.flags, f"--window-size={self.size[0]},{self.size[1]}",
                     f"--user-data-dir={self.folder / 'profile'}"]
            value = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {
                "browserName": "chrome",
                "goog:chromeOptions": {"binary": self.browser, "args": flags},
                "goog:loggingPrefs": {"browser": "ALL"}}}})
            self.session = value["sessionId"]
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends the browser, then its driver."""
        if self.session is not None:
            try:
                self.call("DELETE", f"/session/{self.session}")
            except (OSError, http.client.HTTPException, RuntimeError):
                pass
            self.session = None
        self.driver.terminate()
        try:
            self.driver.wait(10)
        except subprocess.TimeoutExpired:
            self.driver.kill()
            self.driver.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _wait_for_driver(self):
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                if self.call("GET", "/status")["ready"]:
                    return
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise RuntimeError("chromedriver did not start")
            time.sleep(0.1)

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)
        try:
            data = json.dumps(body if body is not None else {}) if method == "POST" else None
            connection.request(method, path, data, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            value = json.loads(answer.read())["value"]
        finally:
            connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {value.get('error')}: {value.get('message')}")
        return value

    def open(self, url):
        self.call("POST", f"/session/{self.session}/url", {"url": url})

    def run(self, script, *args):
        """Runs the body of a function in the page; its return value."""
        return self.call("POST", f"/session/{self.session}/execute/sync",
                         {"script": script, "args": list(args)})

    def wait_for(self, script, timeout=20.0, wanted=bool):
        """Runs the script again and again until wanted(value); returns the value."""
        deadline = time.monotonic() + timeout
        while True:
            value = self.run(script)
            if wanted(value):
                return value
            if time.monotonic() > deadline:
                raise AssertionError(f"{script!r} stayed {value!r}")
            time.sleep(0.1)

    def screenshot(self, file):
        import base64
        value = self.call("GET", f"/session/{self.session}/screenshot")
        pathlib.Path(file).write_bytes(base64.b64decode(value))

    def problems(self):
        """What the page complained about on its console."""
        entries = self.call("POST", f"/session/{self.session}/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]
