#!/usr/bin/python3
"""Runs the unittest cases of one file and prints a line for each:

    ok - sentence | not ok - sentence | skip - sentence # why

The exit status is 0 when nothing failed. A file with no test in it is a failure.
"""

import importlib.util
import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))


class LineResult(unittest.TestResult):
    """Prints as it goes, failures with their traceback on lines beginning with '#'."""

    def __init__(self):
        super().__init__()
        self.started = 0.0
        self.bad = False

    @staticmethod
    def name(test):
        method = getattr(test, "_testMethodName", None)
        if method is None:
            return str(test)
        return f"{type(test).__name__}: {method.removeprefix('test_').replace('_', ' ')}"

    def startTest(self, test):
        super().startTest(test)
        self.started = time.monotonic()

    def line(self, word, test, more=""):
        print(f"{word} - {self.name(test)}{more}", flush=True)

    def report(self, test, error):
        self.bad = True
        took = f" ({time.monotonic() - self.started:.1f} s)"
        self.line("not ok", test, took)
        for line in self._exc_info_to_string(error, test).rstrip().split("\n"):
            print(f"#   {line}", flush=True)

    def addSuccess(self, test):
        self.line("ok", test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.report(test, err)

    addError = addFailure

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.line("skip", test, f" # {reason}")

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.bad = True
            print(f"not ok - {self.name(test)} {subtest._subDescription()}", flush=True)
            for line in self._exc_info_to_string(err, test).rstrip().split("\n"):
                print(f"#   {line}", flush=True)


def load(path):
    path = pathlib.Path(path).resolve()
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def main():
    path = sys.argv[1]
    wanted = sys.argv[2:]
    module = load(path)
    suite = unittest.TestLoader().loadTestsFromModule(module)
    tests = [test for group in suite for test in group]
    if wanted:
        tests = [test for test in tests if any(word in test.id() for word in wanted)]
    if not tests:
        print(f"not ok - {pathlib.Path(path).name} has no tests")
        return 1
    result = LineResult()
    unittest.TestSuite(tests).run(result)
    return 1 if result.bad else 0


if __name__ == "__main__":
    sys.exit(main())
