"""Checks that need a build: the settings the program says it has, and clang-tidy."""

import os
import pathlib
import shutil
import tempfile
import unittest

import check_clang
import check_settings

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("TIDEGATE_BIN", str(REPOSITORY / "build-tests" / "tidegate"))
BUILD = os.environ.get("TIDEGATE_BUILD", str(REPOSITORY / "build-tests"))

SCHEMA = {"properties": {
    "workers": {"type": "integer"},
    "client": {"properties": {"ping_interval": {"type": "string"}}},
    "routes": {"items": {"properties": {"path": {"type": "string"}}}},
}}


class Settings(unittest.TestCase):
    """check_settings.py"""

    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="tidegate-settings-"))
        self.addCleanup(shutil.rmtree, self.root)
        (self.root / "docs").mkdir()
        (self.root / "deploy").mkdir()

    def fill(self, reference, sample):
        (self.root / "docs" / "configuration.md").write_text(reference, encoding="utf-8")
        (self.root / "deploy" / "t.json").write_text(sample, encoding="utf-8")
        return check_settings.check(self.root, SCHEMA)

    def test_every_setting_of_the_program_is_documented_and_set_somewhere(self):
        offences = check_settings.check(REPOSITORY, check_settings.schema_of(BINARY))
        if offences:
            self.fail("\n" + "\n".join(offences))

    def test_rows_of_groups_and_lists_are_found(self):
        self.assertEqual(check_settings.rows(SCHEMA),
                         ["workers", "client.ping_interval", "routes[].path"])

    def test_what_is_documented_and_set_is_fine(self):
        self.assertEqual(self.fill(
            "`workers` `client.ping_interval` `routes[].path`",
            '{"workers": 0, "client": {"ping_interval": "5s"}, "routes": [{"path": "/"}]}'), [])

    def test_what_is_not_documented_or_not_set_is_found(self):
        self.assertEqual(self.fill("`workers` `routes[].path`", '{"workers": 0, "path": 1}'), [
            "client.ping_interval: not in docs/configuration.md",
            "client.ping_interval: set in no test and not in the sample"])


class Clang(unittest.TestCase):
    """check_clang.py"""

    def test_clang_tidy_has_nothing_to_say(self):
        offences = check_clang.check(BUILD)
        if offences:
            self.fail("\n" + "\n".join(offences))

    def test_a_fault_is_found(self):
        with tempfile.TemporaryDirectory(prefix="tidegate-clang-") as folder:
            file = pathlib.Path(folder) / "fault.c"
            file.write_text("#include <stdlib.h>\n#include <string.h>\n"
                            "int fault(char *a);\nint fault(char *a)\n{\n    int *b = 0;\n"
                            "    memset(a, 0, sizeof(a));\n    return *b;\n}\n", encoding="utf-8")
            offences = check_clang.check(BUILD, only=[file])
        self.assertTrue(any("NullDereference" in line for line in offences), offences)


if __name__ == "__main__":
    unittest.main()
