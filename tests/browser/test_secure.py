"""The demonstration's page over https and wss in a real browser, which offers compression by itself."""

import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest

from support import gateway, names, webdriver

PAGE = gateway.REPOSITORY / "examples" / "prices" / "page"
STATE = 'return document.getElementById("state").dataset.state'
COUNTS = """return [...document.querySelectorAll(".stock")]
    .map((card) => Number(card.dataset.count || 0));"""
SYMBOLS = ["ACME", "GLOBEX", "INITECH"]


@unittest.skipUnless(webdriver.find_browser(), "chromium and chromium-driver are not installed")
class Secure(unittest.TestCase):
    """One gateway with a certificate of its own."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tidegate-secure-"))
        self.addCleanup(shutil.rmtree, self.folder)
        certificate, key = self.folder / "one.pem", self.folder / "one.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                        "-keyout", str(key), "-out", str(certificate)],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.gateway = gateway.Gateway(gateway.settings(
            ("websocket.compression_min_size", 64), workers=2,
            listeners=[{"name": "main", "address": "127.0.0.1", "port": 0, "serves": ["public"],
                        "tls": {"certificates": [{"certificate": str(certificate),
                                                  "key": str(key)}]}},
                       {"name": "inside", "address": "127.0.0.1", "port": 0,
                        "serves": ["internal"]}],
            channel={"namespaces": [
                {"name": "prices", "history_size": 100, "history_ttl": "10m"}]},
            routes=gateway.BASE["routes"] + [
                {"path": "/*", "kind": "files", "root": str(PAGE)}])).start()
        self.addCleanup(self.gateway.kill)

    def publish(self, api, sequence):
        for symbol in SYMBOLS:
            answer = api.publish(f"prices:{symbol}", {
                "symbol": symbol, "price": 100 + sequence, "time": 1700000000 + sequence,
                "sequence": sequence, "note": "as compressible as prices are " * 4})
            self.assertIn("offset", answer)

    def test_prices_move_over_wss_with_compression(self):
        with self.gateway.api() as api, \
                webdriver.Browser(flags=["--ignore-certificate-errors"]) as browser:
            browser.open(self.gateway.url("/", scheme="https", name="main"))
            deadline = time.monotonic() + 20
            sequence = 0
            while min(browser.run(COUNTS) or [0]) < 5:
                self.assertLess(time.monotonic(), deadline, browser.problems())
                sequence += 1
                self.publish(api, sequence)
                time.sleep(0.1)
            self.assertEqual(browser.run(STATE), "live")
            metrics = self.gateway.metrics()
            self.assertGreater(metrics.value("tidegate_deflated_messages_total"), 0)
            self.assertGreaterEqual(metrics.value(names.CONNECTIONS, transport="websocket"),
                                    len(SYMBOLS))


if __name__ == "__main__":
    unittest.main()
