"""The conformance cases judged themselves: a server that is right passes them, and one that is
wrong in one way fails those that are about it, and not others."""

import concurrent.futures
import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import client  # noqa: E402
import registry  # noqa: E402
from run import Runner  # noqa: E402
from wrong_server import FAULTS, Server  # noqa: E402

LIMIT = 256 * 1024
CASES = registry.load()
# What is large or long is left out: the server here is no fast one. The limits are tried.
LIGHT = [case for case in CASES if not case.is_heavy or case.name.startswith(("9.9.", "15.7."))]
# Fault: (cases that all fail, cases that all pass). A final dot ends a group's name, a final "$"
# a case's.
NOTICED = {
    "reserved bits are accepted": ("3. 15.2.", "4. 1.4."),
    "reserved opcodes are accepted": ("4.1.3.1$ 4.1.3.2$ 4.1.7.1$ 4.2.", "3. 1.4."),
    "unmasked frames are accepted": ("1.4.1$ 1.4.2$ 1.4.3$ 1.4.4$ 1.4.6$ 1.4.10$ 1.4.11$", "3."),
    "any form of length is accepted": ("1.3.1$ 1.3.2$ 1.3.3$ 1.3.4$ 1.3.5$ 1.3.6$ 1.3.7$",
                                       "1.3.14$ 1.3.15$ 1.3.16$"),
    "UTF-8 is not checked": ("6.2. 6.3. 6.4. 6.5. 6.6. 6.7.", "15.6."),
    "UTF-8 is checked at the end": ("6.5.", "6.2. 6.3. 6.4."),
    "every failure closes with 1000": ("1.3. 1.4. 2.3. 3. 4. 5.4. 6.2. 7.9. 15.5.", "1.5. 7.7."),
    "TCP is left open": ("1.5.1$ 3.1.1$ 7.1.1$ 7.3.1$ 7.7.1$ 7.9.1$", "0.3."),
    "the stream is reset": ("1.5.1$ 3.1.1$ 7.1.1$ 7.3.1$ 7.7.1$ 7.9.1$", "0.3."),
    "bytes follow the close": ("1.5. 3. 7.1. 7.3. 7.7. 7.9.", "0.3."),
    "a close is not answered": ("7.1. 7.7. 1.5.", "7.9. 4."),
    "pings after a close are answered": ("7.1.3$ 7.1.8$", "7.7. 7.9. 3.1."),
    "any close code is accepted": ("7.9.", "7.7."),
    "close reasons are not checked": ("7.5.1$ 7.5.2$ 7.5.21$ 7.5.28$ 7.5.29$ 7.5.33$", "7.7. 7.9."),
    "pings are not answered": ("2.1.", "2.3. 1.5."),
    "pings are answered without payload": ("2.1.2$ 2.1.3$ 2.1.8$ 2.1.12$", "2.1.1$ 2.3."),
    "long control frames are accepted": ("2.3.1$ 2.3.4$ 2.3.9$ 7.3.11$", "2.3.6$ 2.1."),
    "control frames may be fragments": ("2.3.6$ 2.3.14$ 5.4.23$ 5.4.24$ 5.4.25$", "2.3.1$ 2.1."),
    "a continuation of nothing is accepted": ("5.4.1$ 5.4.2$ 5.4.5$ 5.4.11$ 5.4.12$", "5.4.13$"),
    "a message inside a message is accepted": ("5.4.13$ 5.4.14$ 5.4.20$ 5.4.21$", "5.4.1$"),
    "pings wait for the end of the message": ("5.3.9$ 5.3.11$ 6.6.1$", "2.1."),
    "an empty fragment is lost": ("5.1.7$ 5.1.11$ 5.2.7$", "5.1.1$ 2.1."),
    "the last byte is lost past 64 KiB": ("1.1.23$ 1.2.23$", "1.1.20$ 1.2.20$"),
    "texts come back binary": ("1.1.1$ 1.1.4$ 5.1.1$ 12.1.4$", "1.2.1$ 5.2.1$"),
    "frames are masked": ("1.5. 2.1. 7.1.", "0.3."),
    "lengths are long": ("1.5. 2.1. 7.1.", "0.3."),
    "there is no limit": ("9.9.3$ 9.9.8$ 15.7.2$ 15.7.4$", "9.9.1$ 15.7.1$"),
    "contexts are always kept": ("13.9.4$ 13.10.4$ 13.16.4$ 14.1.3$", "13.1.4$ 12.1.4$"),
    "windows are ignored": ("13.17.1$ 13.17.5$ 13.17.9$ 13.17.13$", "13.17.29$ 13.18.1$"),
    "RSV1 may stand on continuations": ("15.1.7$ 15.1.8$ 15.1.9$ 15.1.11$", "15.1.1$ 3.1."),
    "RSV1 may stand on control frames": ("15.1.1$ 15.1.2$ 15.1.3$ 15.1.4$ 15.1.5$ 15.1.6$",
                                         "15.1.7$ 3.1."),
    "inflated text is not checked": ("15.6.1$ 15.6.2$ 15.6.4$ 15.6.16$", "15.6.3$ 6.2."),
    "broken data are echoed as they are": ("15.5.", "15.6. 15.3."),
    "unknown parameters are accepted": ("14.2.1$ 14.2.2$ 14.2.7$", "14.1. 14.2.15$"),
    "keys are not checked": ("0.2.8$ 0.2.10$ 0.2.11$ 0.2.19$", "0.1. 0.3."),
    "versions are not checked": ("0.3.", "0.1. 0.2."),
    "any subprotocol is accepted": ("0.4.4$ 0.4.7$ 0.4.8$ 0.4.9$", "0.4.1$ 0.4.2$ 0.1."),
    "the accept is a constant": ("0.1. 1.5.", "0.2. 0.3."),
}


def chosen(patterns):
    found = []
    for pattern in patterns.split():
        matching = [case for case in LIGHT if case.name + "$" == pattern
                    or not pattern.endswith("$") and case.name.startswith(pattern)]
        assert matching, f"no case is called {pattern}"
        found += matching
    return found


class Options:
    at_once = 12


def run(cases, *faults):
    with Server(*faults, limit=LIMIT) as server:
        return Runner(cases, client.Target(server.address, LIMIT), Options).all()


class Selftest(unittest.TestCase):
    failed = {}

    @classmethod
    def setUpClass(cls):
        # Where a server does nothing, time must pass; not as much as a real server is given. The
        # waiting is done for several faults at once.
        patient, client.PATIENCE = client.PATIENCE, 4.0
        try:
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                jobs = {fault: pool.submit(run, chosen(patterns[0]) + chosen(patterns[1]), fault)
                        for fault, patterns in NOTICED.items()}
                cls.failed = {fault: {case.name for case, _ in job.result().failures()}
                              for fault, job in jobs.items()}
        finally:
            client.PATIENCE = patient

    def test_there_are_as_many_cases_as_promised(self):
        self.assertGreaterEqual(len(CASES), 450)

    def test_every_case_has_a_sentence_of_its_own_and_a_section(self):
        sentences = [case.sentence for case in CASES]
        twice = {sentence for sentence in sentences if sentences.count(sentence) > 1}
        self.assertEqual(twice, set())
        for case in CASES:
            self.assertRegex(case.section, r"^RFC \d+ §\d", case.name)
            self.assertTrue(case.sentence.endswith("."), case.name)

    def test_a_server_that_is_right_passes(self):
        failures = run(LIGHT).failures()
        self.assertEqual([(case.name, problem) for case, problem in failures], [])

    def test_every_fault_has_its_test(self):
        self.assertEqual(FAULTS, set(NOTICED))


def make_test(fault, patterns):
    def test(self):
        wanted, control = chosen(patterns[0]), chosen(patterns[1])
        failed = self.failed[fault]
        self.assertEqual([case.name for case in wanted if case.name not in failed], [],
                         "these should have failed")
        self.assertEqual([case.name for case in control if case.name in failed], [],
                         "these should have passed")
    return test


for name, which in NOTICED.items():
    setattr(Selftest, "test_it_is_noticed_that_" + name.replace(" ", "_").replace("-", "_"),
            make_test(name, which))
