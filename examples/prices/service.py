#!/usr/bin/python3
"""Publishes the prices of three invented stocks through a gateway's HTTP API.

One price for each stock and interval, on one kept-alive connection. While the gateway is away,
prices are kept (up to a limit) and sent in order when it is back. Each carries an idempotency
key, so that a repeat after a lost answer is not published twice.
"""

import argparse
import collections
import http.client
import json
import os
import random
import signal
import sys
import time
import urllib.parse

STOCKS = {"ACME": 120.0, "GLOBEX": 64.0, "INITECH": 31.5}
KEPT_MAX = 3000
BACKOFF_FIRST = 0.1
BACKOFF_MAX = 3.0


class Refused(Exception):
    """The gateway answered, and the answer will not change by asking again."""


class Publisher:
    """One kept-alive connection to /api/publish, reopened when it breaks."""

    def __init__(self, url, key, timeout=5.0):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"expected http://host:port, not {url!r}")
        self.address = (parts.hostname, parts.port or 80)
        self.path = parts.path.rstrip("/") + "/api/publish"
        self.headers = {"Content-Type": "application/json", "X-API-Key": key}
        self.timeout = timeout
        self.connection = None

    def publish(self, channel, data, idempotency_key):
        """Raises OSError or HTTPException when it is worth trying again, Refused when not."""
        body = json.dumps({"channel": channel, "data": data, "idempotency_key": idempotency_key})
        if self.connection is None:
            self.connection = http.client.HTTPConnection(*self.address, timeout=self.timeout)
        try:
            self.connection.request("POST", self.path, body, self.headers)
            answer = self.connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if answer.status == 503:
            self.close()
            raise ConnectionError("the gateway is not ready")
        if answer.status != 200:
            raise Refused(f"status {answer.status}: {text[:200].decode(errors='replace')}")
        error = json.loads(text).get("error")
        if error:
            raise Refused(f"error {error.get('code')}: {error.get('message')}")

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class Market:
    """A random walk for each stock."""

    def __init__(self, seed=None):
        self.random = random.Random(seed)
        self.prices = dict(STOCKS)
        self.sequence = 0
        self.run = f"{os.getpid()}-{time.time_ns()}"

    def tick(self):
        """The next price of each stock as (channel, data, idempotency key)."""
        self.sequence += 1
        now = round(time.time(), 3)
        for symbol, start in STOCKS.items():
            # Pulled gently back to where it began, so that a demonstration left on for a week
            # does not drift to zero.
            pull = (start - self.prices[symbol]) * 0.01
            step = self.random.gauss(0, start * 0.003)
            self.prices[symbol] = max(0.01, self.prices[symbol] + pull + step)
            data = {"symbol": symbol, "price": round(self.prices[symbol], 2), "time": now,
                    "sequence": self.sequence}
            yield f"prices:{symbol}", data, f"{self.run}-{symbol}-{self.sequence}"


def send_all(publisher, waiting):
    """Sends what waits, oldest first. Returns False when the gateway is away."""
    while waiting:
        try:
            publisher.publish(*waiting[0])
        except Refused as refusal:
            print(f"prices: dropped one: {refusal}", file=sys.stderr, flush=True)
        except (OSError, http.client.HTTPException, ValueError):
            return False
        waiting.popleft()
    return True


def run(publisher, market, interval, ticks=None):
    """Publishes until interrupted, or for so many ticks."""
    waiting = collections.deque(maxlen=KEPT_MAX)
    backoff = BACKOFF_FIRST
    away = False
    next_tick = time.monotonic()
    next_try = next_tick
    while ticks is None or market.sequence < ticks or waiting:
        now = time.monotonic()
        if now >= next_tick and (ticks is None or market.sequence < ticks):
            waiting.extend(market.tick())
            next_tick = max(next_tick + interval, now)
        if waiting and now >= next_try:
            if send_all(publisher, waiting):
                if away:
                    print("prices: the gateway is back", file=sys.stderr, flush=True)
                away = False
                backoff = BACKOFF_FIRST
                next_try = 0.0
            else:
                if not away:
                    print("prices: the gateway is away, keeping prices", file=sys.stderr,
                          flush=True)
                away = True
                next_try = time.monotonic() + backoff * market.random.uniform(0.5, 1.0)
                backoff = min(backoff * 2, BACKOFF_MAX)
        until = min(next_tick, next_try) if waiting else next_tick
        time.sleep(max(0.001, min(until - time.monotonic(), interval)))


def main():
    parser = argparse.ArgumentParser(description="Publishes three stock prices every second.")
    parser.add_argument("--url", default=os.environ.get("TIDEGATE_URL", "http://localhost:8000"),
                        help="the gateway (default: %(default)s)")
    parser.add_argument("--key", default=os.environ.get("TIDEGATE_HTTP_API_KEY", ""),
                        help="the API key (default: $TIDEGATE_HTTP_API_KEY)")
    parser.add_argument("--interval", type=float, default=1.0,
                        help="seconds between prices (default: %(default)s)")
    parser.add_argument("--ticks", type=int, help="stop after so many prices of each stock")
    parser.add_argument("--seed", type=int, help="repeat the same prices")
    options = parser.parse_args()
    if options.interval <= 0:
        parser.error("--interval must be more than 0")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    publisher = Publisher(options.url, options.key)
    try:
        run(publisher, Market(options.seed), options.interval, options.ticks)
    except KeyboardInterrupt:
        pass
    finally:
        publisher.close()


if __name__ == "__main__":
    main()
