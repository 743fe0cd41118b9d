#!/usr/bin/python3
"""Builds with sanitizers, runs suites, counts. Called by tests/run, which installs packages.

Every test program, whatever it is written in, ends up as lines `ok - name`, `not ok - name` or
`skip - name`; this file runs the programs (a few at a time), reads the lines and adds up.
"""

import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("TIDEGATE_TEST_BUILD", ROOT / "build-tests")).resolve()
BUILD_THREADS = pathlib.Path(
    os.environ.get("TIDEGATE_TEST_BUILD_THREADS", ROOT / "build-threads")).resolve()
BUILD_PLAIN = pathlib.Path(
    os.environ.get("TIDEGATE_TEST_BUILD_PLAIN", ROOT / "build-plain")).resolve()
BUILD_FUZZ = pathlib.Path(
    os.environ.get("TIDEGATE_TEST_BUILD_FUZZ", ROOT / "build-fuzz")).resolve()
RUN_FILE = ROOT / "tests" / "support" / "runfile.py"
LINE = re.compile(r"(ok|not ok|skip)(?: \d+)?(?: - |\s+)(.*)")
SANITIZER = re.compile(r"(ERROR: (?:Address|Leak)Sanitizer|WARNING: ThreadSanitizer"
                       r"|runtime error:)")
AT_ONCE = max(2, os.cpu_count() or 2)
PROGRAM_TIMEOUT = 420


class Outcome:
    """What one program came to."""

    def __init__(self, name):
        self.name = name
        self.passed = 0
        self.failed = []
        self.skipped = []
        self.output = ""
        self.seconds = 0.0

    def fail(self, what):
        self.failed.append(what)
        return self

    def read(self, text):
        """Adds up the result lines in `text`."""
        for line in text.splitlines():
            match = LINE.fullmatch(line.strip())
            if not match:
                continue
            word, name = match.groups()
            if word == "skip" or "# SKIP" in name:
                self.skipped.append(name)
            elif word == "ok":
                self.passed += 1
            else:
                self.failed.append(name)

    def show(self):
        parts = [f"{self.passed} passed"]
        if self.failed:
            parts.append(f"{len(self.failed)} failed")
        if self.skipped:
            parts.append(f"{len(self.skipped)} skipped")
        print(f"  {self.name:<44} {', '.join(parts)} ({self.seconds:.1f} s)", flush=True)
        for name in self.skipped:
            print(f"    skipped: {name}", flush=True)
        if self.failed:
            for name in self.failed:
                print(f"    FAILED: {name}", flush=True)
            tail = self.output.splitlines()[-200:]
            print("\n".join(f"    | {line}" for line in tail), flush=True)


def run(name, command, env=None, cwd=ROOT, timeout=PROGRAM_TIMEOUT):
    """Runs one program to its end; (outcome with its output, exit status or None)."""
    outcome = Outcome(name)
    began = time.monotonic()
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(env or {})}
    # Into a file, not a pipe: a grandchild left behind must not keep this waiting.
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL,
                                   stdout=output, stderr=subprocess.STDOUT)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            status = None
        output.seek(0)
        outcome.output = output.read().decode("utf-8", "replace")
    outcome.seconds = time.monotonic() - began
    return outcome, status


def judge(outcome, status):
    """Lines first; then what lines cannot say: a crash, a time-out, no line at all."""
    outcome.read(outcome.output)
    if status is None:
        outcome.fail("took too long")
    elif status != 0 and not outcome.failed:
        outcome.fail(f"exit status {status}")
    elif not (outcome.passed or outcome.failed or outcome.skipped):
        outcome.fail("no test ran")
    return outcome


def all_at_once(jobs, count=AT_ONCE):
    """Runs the jobs (callables that give an Outcome), `count` at a time, showing each."""
    outcomes = []
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        for done in concurrent.futures.as_completed([pool.submit(job) for job in jobs]):
            outcomes.append(done.result())
            outcomes[-1].show()
    return outcomes


def build(folder, *options, env=None, targets=()):
    """Sets up (once) and compiles, all or `targets`; an Outcome only when that failed."""
    if not (folder / "build.ninja").exists():
        outcome, status = run(f"set up {folder.name}",
                              ["meson", "setup", str(folder), *options], env=env)
        if status != 0:
            return outcome.fail("meson setup failed")
    outcome, status = run(f"build {folder.name}", ["meson", "compile", "-C", str(folder), *targets],
                          timeout=1800)
    if status != 0:
        return outcome.fail("the build failed")
    print(f"  {outcome.name:<44} done ({outcome.seconds:.1f} s)", flush=True)
    return None


# Sanitizers make gcc see paths that are none; these two warnings it then gets wrong.
GCC_ERRS = "-Dc_args=-Wno-format-truncation -Wno-maybe-uninitialized"


def build_sanitized():
    return build(BUILD, GCC_ERRS, "-Db_sanitize=address,undefined", "-Db_lundef=false", "-Dtests=true",
                 "--buildtype=debugoptimized")


def build_threads():
    return build(BUILD_THREADS, GCC_ERRS, "-Db_sanitize=thread", "-Dtests=threads",
                 "--buildtype=debugoptimized")


def meson_tests(folder, suite):
    """(name, command) of the tests of one of meson's suites."""
    text = subprocess.run(["meson", "introspect", "--tests", str(folder)], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    return [(test["name"], test["cmd"]) for test in json.loads(text)
            if any(name.split(":")[-1] == suite for name in test["suite"])]


def binary():
    for place in (BUILD / "tidegate", BUILD / "src" / "tidegate"):
        if place.exists():
            return place
    return BUILD / "tidegate"


# ---- the suites: each gives a list of outcomes ---------------------------------------------


def run_criterion(name, command):
    """One Criterion program. Leaks are found at the end of each test's process, where Criterion
    does not see them: they are a failure of the program."""
    with tempfile.NamedTemporaryFile(prefix="tidegate-tap-") as tap:
        outcome, status = run(name, [*command, f"--tap={tap.name}", "-j1"], env={
            "ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"})
        results = pathlib.Path(tap.name).read_text(encoding="utf-8", errors="replace")
    outcome.read(re.sub(r"  \(\d+\.\d+s\)$", "", results, flags=re.MULTILINE))
    if status is None:
        outcome.fail("took too long")
    elif status != 0 and not outcome.failed:
        outcome.fail(f"exit status {status}")
    elif not (outcome.passed or outcome.failed):
        outcome.fail("no test ran")
    elif "LeakSanitizer: detected memory leaks" in outcome.output:
        outcome.fail("memory was leaked")
    return outcome


def unit(word):
    broken = build_sanitized()
    if broken:
        broken.show()
        return [broken]
    jobs = [lambda n=name, c=command: run_criterion(n, c)
            for name, command in meson_tests(BUILD, "unit") if word in name]
    jobs += [lambda n=name, c=command: judge(*run(n, c))
             for name, command in meson_tests(BUILD, "fuzz") if word in name]
    return all_at_once(jobs)


def threads(word):
    broken = build_threads()
    if broken:
        broken.show()
        return [broken]
    # ThreadSanitizer of this age does not know every layout that randomisation may choose.
    fixed = ["setarch", os.uname().machine, "-R"]
    if subprocess.run([*fixed, "true"], check=False, stderr=subprocess.DEVNULL).returncode != 0:
        fixed = []

    def job(name, command):
        outcome, status = run(name, [*fixed, *command],
                              env={"TSAN_OPTIONS": "halt_on_error=0:exitcode=66"})
        judge(outcome, status)
        if SANITIZER.search(outcome.output) and not outcome.failed:
            outcome.fail("a data race")
        return outcome

    tests = [(n, c) for n, c in meson_tests(BUILD_THREADS, "threads") if word in n]
    return all_at_once([lambda n=name, c=command: job(n, c) for name, command in tests], 1)


def python_files(folder, word, count, env=None):
    files = [file for file in sorted((ROOT / "tests" / folder).glob("test_*.py"))
             if word in file.name]

    def job(file):
        command = ["/usr/bin/python3", str(RUN_FILE), str(file)]
        return judge(*run(f"{folder}/{file.stem}", command, env=env))

    return all_at_once([lambda f=file: job(f) for file in files], count)


def integration(word):
    broken = build_sanitized()
    if broken:
        broken.show()
        return [broken]
    # Most of these tests wait more than they work.
    return python_files("integration", word, AT_ONCE + 1, {"TIDEGATE_BIN": str(binary())})


CONFORMANCE = {
    "plain-1": ["--workers", "1"], "plain-4": ["--workers", "4"],
    "tls-4": ["--workers", "4", "--tls"], "plain-no-takeover": ["--workers", "4", "--no-takeover"],
}


def conformance(word):
    broken = build_sanitized()
    if broken:
        broken.show()
        return [broken]
    program = str(ROOT / "tests" / "conformance" / "run.py")

    def job(name):
        command = ["/usr/bin/python3", program, "--lines", *CONFORMANCE[name]]
        return judge(*run(f"conformance/{name}", command, env={"TIDEGATE_BIN": str(binary())}))

    # One after the other: each keeps every processor busy.
    outcomes = all_at_once([lambda n=name: job(n) for name in CONFORMANCE if word in name], 1)
    return outcomes + python_files("conformance/selftest", word, 1)


def faults(word):
    broken = build_sanitized() or build(BUILD_PLAIN, "-Dtests=false", "--buildtype=release")
    if broken:
        broken.show()
        return [broken]
    return python_files("faults", word, 1, {
        "TIDEGATE_BIN": str(binary()), "TIDEGATE_BIN_PLAIN": str(BUILD_PLAIN / "tidegate"),
        "TIDEGATE_FAULTS_LIBRARY": str(BUILD / "tests" / "faults" / "libfaults.so")})


def browser(word):
    broken = build_sanitized()
    if broken:
        broken.show()
        return [broken]
    return python_files("browser", word, 1, {"TIDEGATE_BIN": str(binary())})


def tidy(word):
    broken = build_sanitized()
    if broken:
        broken.show()
        return [broken]
    return python_files("tidy", word, AT_ONCE, {"TIDEGATE_BIN": str(binary()),
                                                "TIDEGATE_BUILD": str(BUILD)})


def fuzz(word):
    """Each fuzzer for TIDEGATE_FUZZ_SECONDS. What it finds stays in the corpus of its target."""
    broken = build(BUILD_FUZZ, "-Dtests=fuzz", "-Db_sanitize=address,undefined", "-Db_lundef=false",
                   "-Dc_args=-fsanitize=fuzzer-no-link -fno-sanitize-recover=all", "-Dwerror=false",
                   "--buildtype=debugoptimized", env={"CC": "clang"}, targets=["fuzz"])
    if broken:
        broken.show()
        return [broken]
    seconds = int(os.environ.get("TIDEGATE_FUZZ_SECONDS", "60"))

    def job(corpus):
        words = ROOT / "tests" / "fuzz" / f"{corpus.name}.dict"
        with tempfile.TemporaryDirectory(prefix="tidegate-fuzz-") as fresh:
            command = [str(BUILD_FUZZ / "tests" / "fuzz" / f"fuzz_{corpus.name}"),
                       f"-max_total_time={seconds}", "-timeout=20", "-rss_limit_mb=1500",
                       f"-artifact_prefix={corpus}/found_",
                       *([f"-dict={words}"] if words.exists() else []), fresh, str(corpus)]
            outcome, status = run(f"fuzz/{corpus.name}", command, timeout=seconds + 180)
        if status == 0:
            outcome.passed = 1
            return outcome
        return outcome.fail("took too long" if status is None else
                            f"an input was found: {corpus.relative_to(ROOT)}/found_*")

    folders = sorted((ROOT / "tests" / "fuzz" / "corpus").iterdir())
    return all_at_once([lambda c=corpus: job(c) for corpus in folders if word in corpus.name], 2)


SUITES = {"tidy": tidy, "unit": unit, "threads": threads, "integration": integration,
          "conformance": conformance, "faults": faults, "browser": browser,
          "fuzz": fuzz}
DEFAULT = [name for name in SUITES if name != "fuzz"]


def main():
    passed = failed = skipped = 0
    for argument in sys.argv[1:] or DEFAULT:
        suite, _, word = argument.partition(":")
        print(f"{suite}:", flush=True)
        began = time.monotonic()
        outcomes = SUITES[suite](word)
        if not outcomes:
            outcomes = [Outcome(suite).fail("no test ran")]
            outcomes[0].show()
        here = [sum(o.passed for o in outcomes), sum(len(o.failed) for o in outcomes),
                sum(len(o.skipped) for o in outcomes)]
        print(f"{suite}: {here[0]} ok, {here[1]} not ok, {here[2]} skipped"
              f" in {time.monotonic() - began:.0f} s", flush=True)
        passed, failed, skipped = passed + here[0], failed + here[1], skipped + here[2]
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""),
          flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
