#!/usr/bin/python3
"""Faults of the system by seeded plans. As a test it runs TIDEGATE_FAULT_SEEDS seeds (48); run by
itself it takes

    --seeds N     how many seeds (1000 is the full run)
    --first N     the first one
    --seed N      this one alone, to see a failure again
    --plain       every seed without sanitizers
    --jobs N      gateways at once

Two programs are put to it: the one with sanitizers (TIDEGATE_BIN) and, where TIDEGATE_BIN_PLAIN
names it, one without, which alone can be refused memory. TIDEGATE_FAULTS_LIBRARY is the library
that makes the faults.
"""

import argparse
import concurrent.futures
import json
import multiprocessing
import os
import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from support import gateway  # noqa: E402
import workload  # noqa: E402

SEEDS = int(os.environ.get("TIDEGATE_FAULT_SEEDS", "48"))
JOBS = 2 * (os.cpu_count() or 2)
SANITIZED = gateway.BINARY
PLAIN = os.environ.get("TIDEGATE_BIN_PLAIN")
LIBRARY = os.environ.get("TIDEGATE_FAULTS_LIBRARY",
                         str(pathlib.Path(SANITIZED).parent / "tests" / "faults" / "libfaults.so"))
MODES = list(workload.MODES)
NEEDS_PLAIN = ("memory",)


def binary_for(seed, plain=False):
    """Both programs take turns, so that each sees every mode; None: this seed cannot be run."""
    mode = workload.mode_of(seed)
    if mode in NEEDS_PLAIN or plain:
        return PLAIN
    return SANITIZED if PLAIN is None or seed // len(MODES) % 2 else PLAIN


def run_seeds(seeds, plain=False, jobs=JOBS, show=lambda result: None):
    """The results of all `seeds`, several at once."""
    # Started anew, not forked: a test program has threads of its own.
    context = multiprocessing.get_context("spawn")
    results = []
    with concurrent.futures.ProcessPoolExecutor(jobs, mp_context=context) as pool:
        pending = [pool.submit(workload.run_seed, seed, binary_for(seed, plain), LIBRARY)
                   for seed in seeds if binary_for(seed, plain) is not None]
        for done in concurrent.futures.as_completed(pending):
            results.append(done.result())
            show(results[-1])
    return results


def tell(result):
    return f"seed {result['seed']} of mode {result['mode']} failed; to see it again:\n" \
        f"    tests/faults/test_faults.py --seed {result['seed']}\n" \
        f"the plan: {result['plan']}\nthe program: {result['binary']}\n{result['error']}"


class Faults(unittest.TestCase):
    """All seeds run at once, before the first test; each mode has a sentence."""

    @classmethod
    def setUpClass(cls):
        assert os.path.exists(LIBRARY), f"there is no {LIBRARY}"
        cls.results = run_seeds(range(SEEDS))

    def check(self, mode):
        results = [result for result in self.results if result["mode"] == mode]
        if not results:
            self.skipTest("no program without sanitizers")
        failed = [tell(result) for result in results if result["error"]]
        self.assertFalse(failed, f"{len(failed)} of {len(results)} seeds:\n"
                         + "\n\n".join(failed[:3]))

    def test_short_interrupted_and_postponed_calls_close_nobody_and_lose_nothing(self):
        self.check("soft")

    def test_slow_readers_lose_only_what_is_counted_or_recovered(self):
        self.check("slow")

    def test_connections_that_break_lose_only_what_is_recovered(self):
        self.check("lost")

    def test_without_descriptors_and_memory_to_accept_everyone_is_served_in_the_end(self):
        self.check("accept")

    def test_without_memory_no_message_is_missing_in_silence(self):
        self.check("memory")

    def test_all_faults_together_leave_every_message_accounted_for(self):
        self.check("all")

    def test_every_kind_of_fault_was_made(self):
        total = {}
        for result in self.results:
            for kind, count in result["faults"].items():
                total[kind] = total.get(kind, 0) + count
        if PLAIN is None:
            total.pop("alloc", None)
        self.assertTrue(total, "no run came to its end")
        self.assertEqual([kind for kind, count in total.items() if count == 0], [])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--jobs", type=int, default=JOBS)
    arguments = parser.parse_args()
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    if arguments.seed is not None:
        seeds = [arguments.seed]

    def show(result):
        print(("not ok" if result["error"] else "ok") + f" - seed {result['seed']}"
              f" {result['plan']} closed={result['closed']} ({result['seconds']:.1f} s)",
              flush=True)
        if result["error"]:
            print(tell(result), flush=True)

    results = run_seeds(seeds, arguments.plain, arguments.jobs, show)
    total = {}
    for result in results:
        for kind, count in result["faults"].items():
            total[kind] = total.get(kind, 0) + count
    failed = sorted(result["seed"] for result in results if result["error"])
    print(json.dumps({"seeds": len(results), "failed": failed, "faults": total,
                      "connections ended": sum(result["closed"] for result in results)}))
    return 1 if failed or not results else 0


if __name__ == "__main__":
    sys.exit(main())
