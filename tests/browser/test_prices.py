"""The demonstration in a real browser: prices at once, moving, and nothing lost when the gateway
goes away and comes back."""

import os
import subprocess
import time
import unittest

from support import gateway, names, webdriver

SYMBOLS = ["ACME", "GLOBEX", "INITECH"]
PAGE = gateway.REPOSITORY / "examples" / "prices" / "page"
SERVICE = gateway.REPOSITORY / "examples" / "prices" / "service.py"
INTERVAL = "0.2"

CARDS = """
return [...document.querySelectorAll(".stock")].map((card) => ({
    symbol: card.dataset.symbol,
    sequence: Number(card.dataset.sequence || 0),
    count: Number(card.dataset.count || 0),
    gaps: Number(card.dataset.gaps || 0),
    price: card.querySelector(".price").textContent,
}));"""
STATE = 'return document.getElementById("state").dataset.state'


def config():
    return gateway.settings(
        workers=2,
        channel={"namespaces": [{"name": "prices", "history_size": 100, "history_ttl": "10m"}]},
        routes=gateway.BASE["routes"] + [{"path": "/*", "kind": "files", "root": str(PAGE)}])


@unittest.skipUnless(webdriver.find_browser(), "chromium and chromium-driver are not installed")
class Prices(unittest.TestCase):
    """One browser and gateway for each test; the service publishes five times a second."""

    def setUp(self):
        self.gateway = gateway.Gateway(config()).start()
        self.addCleanup(self.gateway.kill)
        self.service = None
        self.addCleanup(self.stop_service)

    def start_service(self, *more):
        self.service = subprocess.Popen(
            ["/usr/bin/python3", str(SERVICE), "--url", self.gateway.url("").rstrip("/"),
             "--interval", INTERVAL, "--seed", "7", *more],
            env={**os.environ, "TIDEGATE_HTTP_API_KEY": names.API_KEY}, stdin=subprocess.DEVNULL)

    def stop_service(self):
        if self.service is not None:
            self.service.terminate()
            self.service.wait(10)
            self.service = None

    def cards(self, browser):
        cards = browser.run(CARDS)
        self.assertEqual([card["symbol"] for card in cards], SYMBOLS)
        return cards

    def wait_for_cards(self, browser, wanted, timeout=20):
        deadline = time.monotonic() + timeout
        while True:
            cards = self.cards(browser)
            if all(wanted(card) for card in cards):
                return cards
            self.assertLess(time.monotonic(), deadline, cards)
            time.sleep(0.1)

    def test_the_last_prices_are_there_on_opening(self):
        self.start_service("--ticks", "20")
        self.service.wait(30)
        self.service = None
        with webdriver.Browser() as browser:
            browser.open(self.gateway.url("/"))
            cards = self.wait_for_cards(
                browser, lambda card: card["count"] == 20 and card["price"] != "–")
            for card in cards:
                self.assertEqual((card["sequence"], card["gaps"]), (20, 0))
                self.assertRegex(card["price"], r"^\d+\.\d\d$")
            self.assertEqual(browser.run(STATE), "live")
            self.assertEqual(browser.problems(), [])

    def test_prices_move_and_their_line_is_drawn(self):
        self.start_service()
        with webdriver.Browser() as browser:
            browser.open(self.gateway.url("/"))
            first = self.wait_for_cards(
                browser, lambda card: card["count"] >= 3 and card["price"] != "–")
            later = self.wait_for_cards(
                browser, lambda card: card["sequence"] >= first[0]["sequence"] + 10)
            self.assertNotEqual([card["price"] for card in first],
                                [card["price"] for card in later])
            self.assertEqual([card["gaps"] for card in later], [0, 0, 0])
            painted = browser.run("""
                const canvas = document.querySelector("canvas");
                const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width,
                                                                    canvas.height).data;
                let count = 0;
                for (let i = 3; i < pixels.length; i += 4) count += pixels[i] > 0;
                return count;""")
            self.assertGreater(painted, 100)
            picture = os.environ.get("TIDEGATE_SCREENSHOT")
            if picture:
                browser.screenshot(picture)
            self.assertEqual(browser.problems(), [])

    def test_a_restart_of_the_gateway_loses_no_price(self):
        self.start_service()
        with webdriver.Browser() as browser:
            browser.open(self.gateway.url("/"))
            before = self.wait_for_cards(browser, lambda card: card["count"] >= 5)
            self.gateway.restart()
            browser.wait_for(STATE, 30, lambda state: state == "live")
            cards = self.wait_for_cards(
                browser, lambda card: card["sequence"] >= before[0]["sequence"] + 15, 40)
            for card, old in zip(cards, before):
                self.assertEqual(card["gaps"], 0, cards)
                self.assertEqual(card["count"] - old["count"], card["sequence"] - old["sequence"],
                                 "each price once")

    def test_a_lost_connection_is_shown_and_comes_back(self):
        self.start_service()
        with webdriver.Browser() as browser:
            browser.open(self.gateway.url("/"))
            self.wait_for_cards(browser, lambda card: card["count"] >= 3)
            own, self.gateway.own_folder = self.gateway.own_folder, False
            for entry in self.gateway.config["listeners"]:
                entry["port"] = self.gateway.ports[entry["name"]]
            self.gateway.stop()
            browser.wait_for(STATE, 15, lambda state: state != "live")
            self.gateway.own_folder = own
            self.gateway.start()
            browser.wait_for(STATE, 30, lambda state: state == "live")

    def test_the_page_fits_a_phone(self):
        self.start_service()
        with webdriver.Browser(width=390, height=800) as browser:
            browser.open(self.gateway.url("/"))
            self.wait_for_cards(browser, lambda card: card["count"] >= 2)
            self.assertLessEqual(browser.run("return document.documentElement.scrollWidth"),
                                 browser.run("return window.innerWidth"))


if __name__ == "__main__":
    unittest.main()
