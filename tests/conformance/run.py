#!/usr/bin/python3
"""Runs the conformance cases against a server's echo route and prints a table.

Without --url it starts the gateway itself (TIDEGATE_BIN names the program). --lines prints a
line `ok - ...` or `not ok - ...` for each case, for tests/run.
"""

import argparse
import collections
import concurrent.futures
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from client import Target  # noqa: E402
from registry import CATEGORIES, load  # noqa: E402
from support import gateway  # noqa: E402

MESSAGE_LIMIT = 16 * 1024 * 1024
PROTOCOLS = ["v2.conformance", "v1.conformance"]
AT_ONCE = 16
HEAVY_AT_ONCE = 3


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", help="ws:// or wss:// address of an echo route to test")
    parser.add_argument("--limit", type=int, default=MESSAGE_LIMIT,
                        help="the server's limit of a message, with --url (default 16 MiB)")
    parser.add_argument("--workers", type=int, default=1, help="the gateway's workers")
    parser.add_argument("--tls", action="store_true", help="over TLS")
    parser.add_argument("--no-takeover", action="store_true",
                        help="the gateway keeps no compression contexts (its default)")
    parser.add_argument("--only", action="append", default=[], metavar="PREFIX",
                        help="only cases whose id begins so; may be given again")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="connections at a time")
    parser.add_argument("--lines", action="store_true", help="a line for each case")
    parser.add_argument("--list", action="store_true", help="lists the cases and ends")
    parser.add_argument("--slowest", type=int, default=0, metavar="N", help="shows the slowest N")
    return parser.parse_args()


def certificate(folder):
    """A certificate for 127.0.0.1 made for this run: (certificate, key) files."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", str(cert), "-keyout", str(key)],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return cert, key


def config_of(options, files):
    """Limits wide enough for every case; deadlines so long that none hides a missing answer."""
    config = gateway.settings(
        ("workers", options.workers),
        ("client.ping_interval", "0"), ("client.close_timeout", "2m"),
        ("client.pings_per_second", 0), ("http.head_timeout", "1m"),
        ("websocket.message_size_limit", f"{MESSAGE_LIMIT // 1048576}MiB"),
        ("websocket.message_timeout", "2m"),
        ("websocket.fragments_limit", 1000000),
        ("websocket.compression_context_takeover", not options.no_takeover),
        ("websocket.compression_min_size", 0),
        routes=[{"path": "/echo", "kind": "echo", "subprotocols": PROTOCOLS}])
    if files:
        internal = {"name": "inside", "address": "127.0.0.1", "port": 0, "serves": ["internal"]}
        main = {"name": "main", "address": "127.0.0.1", "port": 0, "serves": ["public"],
                "tls": {"certificates": [{"certificate": str(files[0]), "key": str(files[1])}]}}
        config["listeners"] = [main, internal]
    return config


class Runner:
    def __init__(self, cases, target, options):
        self.cases = cases
        self.target = target
        self.options = options
        self.heavy = threading.Semaphore(HEAVY_AT_ONCE)
        self.results = {}

    def one(self, case):
        if case.is_heavy:
            with self.heavy:
                return case, *case.run(self.target)
        return case, *case.run(self.target)

    def all(self):
        # Heavy ones first and among the light ones, so that neither kind is left for the end.
        heavy = [case for case in self.cases if case.is_heavy]
        light = [case for case in self.cases if not case.is_heavy]
        with concurrent.futures.ThreadPoolExecutor(self.options.at_once) as pool, \
                concurrent.futures.ThreadPoolExecutor(HEAVY_AT_ONCE) as heavy_pool:
            jobs = [heavy_pool.submit(self.one, case) for case in heavy]
            jobs += [pool.submit(self.one, case) for case in light]
            for done in concurrent.futures.as_completed(jobs):
                case, problem, seconds = done.result()
                self.results[case.name] = (case, problem, seconds)
        return self

    def ordered(self):
        return [self.results[case.name] for case in self.cases]

    def failures(self):
        return [(case, problem) for case, problem, _ in self.ordered() if problem is not None]

    def print_lines(self):
        for case, problem, _ in self.ordered():
            word = "ok" if problem is None else "not ok"
            print(f"{word} - {case.name} {case.sentence} [{case.section}]")

    def print_table(self):
        count = collections.Counter()
        failed = collections.Counter()
        for case, problem, _ in self.results.values():
            count[case.category] += 1
            failed[case.category] += problem is not None
        print(f"{'category':<44}{'cases':>8}{'passed':>8}{'failed':>8}")
        for number, name in CATEGORIES.items():
            if count[number]:
                print(f"{number:>3}  {name:<39}{count[number]:>8}"
                      f"{count[number] - failed[number]:>8}{failed[number]:>8}")
        total, wrong = sum(count.values()), sum(failed.values())
        print(f"{'all':<44}{total:>8}{total - wrong:>8}{wrong:>8}")
        for case, problem in self.failures():
            print(f"FAILED {case.name} {case.sentence} [{case.section}]\n       {problem}")

    def print_slowest(self, count):
        for case, _, seconds in sorted(self.results.values(), key=lambda r: -r[2])[:count]:
            print(f"{seconds:8.2f} s  {case.name} {case.sentence}")


def run_against(target, cases, options):
    began = time.monotonic()
    runner = Runner(cases, target, options).all()
    if options.lines:
        runner.print_lines()
    runner.print_table()
    runner.print_slowest(options.slowest)
    kind = "TLS" if target.is_tls else "plain"
    workers = "" if options.url else f", {options.workers} workers"
    print(f"{kind}{workers}: {len(cases)} cases in {time.monotonic() - began:.0f} s")
    return runner


def main():
    options = read_options()
    cases = [case for case in load()
             if not options.only or any(case.name.startswith(only) for only in options.only)]
    if options.list:
        for case in cases:
            print(f"{case.name:<10} {case.sentence} [{case.section}]")
        return 0
    if options.url:
        return 1 if run_against(Target(options.url, options.limit), cases,
                                options).failures() else 0
    with tempfile.TemporaryDirectory(prefix="tidegate-conformance-") as folder:
        files = certificate(pathlib.Path(folder)) if options.tls else None
        try:
            with gateway.Gateway(config_of(options, files)) as server:
                target = Target(server.url("/echo", "wss" if options.tls else "ws", "main"),
                                MESSAGE_LIMIT, str(files[0]) if files else None)
                runner = run_against(target, cases, options)
        except AssertionError as error:
            print(f"not ok - the gateway starts and ends well\n{error}")
            return 1
    return 1 if runner.failures() else 0


if __name__ == "__main__":
    sys.exit(main())
