"""The checks of this folder on the repository, and each of them on a tree with a known fault:
a check that finds nothing must be known to be able to."""

import os
import pathlib
import shutil
import tempfile
import unittest

import check_format
import check_layers
import check_sizes
import check_tour
import check_words

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


class TreeCase(unittest.TestCase):
    """A tree of one's own to put faults into."""

    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="tidegate-tidy-"))
        self.addCleanup(shutil.rmtree, self.root)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def none(self, offences):
        if offences:
            self.fail("\n" + "\n".join(offences))


class Layers(TreeCase):
    """check_layers.py"""

    def test_the_repository_keeps_its_layers(self):
        self.none(check_layers.check(REPOSITORY))

    def test_a_downward_include_is_fine(self):
        self.write("src/http/server.c", '#include "tidegate/net/conn.h"\n#include "server_own.h"\n'
                                        '#include "tidegate/http/server.h"\n#include <llhttp.h>\n')
        self.write("src/http/server_own.h", '#include "tidegate/base/buf.h"\n')
        self.none(check_layers.check(self.root))

    def test_an_upward_include_is_found(self):
        self.write("src/net/conn.c", '\n#include "tidegate/http/server.h"\n')
        self.assertIn("src/net/conn.c:2: net may not include http",
                      check_layers.check(self.root)[0])

    def test_an_include_of_the_other_column_is_found(self):
        self.write("include/tidegate/ws/stream.h", '#include "tidegate/channel/hub.h"\n')
        self.write("src/session/session.c", '#include "tidegate/ws/stream.h"\n')
        self.assertEqual(len(check_layers.check(self.root)), 2)

    def test_a_private_header_of_another_folder_is_found(self):
        self.write("src/http/secret.h", "")
        self.write("src/ws/stream.c", '#include "secret.h"\n')
        self.write("src/ws/other.c", '#include "../http/secret.h"\n')
        self.assertEqual(len(check_layers.check(self.root)), 2)

    def test_a_private_header_in_a_public_one_is_found(self):
        self.write("src/http/secret.h", "")
        self.write("include/tidegate/http/server.h", '#include "secret.h"\n')
        self.assertEqual(len(check_layers.check(self.root)), 1)

    def test_a_third_party_header_elsewhere_is_found(self):
        for number, (folder, header) in enumerate([
                ("ws", "<llhttp.h>"), ("http", "<wslay/wslay.h>"), ("api", "<jansson.h>"),
                ("http", "<zlib.h>"), ("channel", "<openssl/sha.h>"),
                ("session", "<hiredis/hiredis.h>"), ("api", "<curl/curl.h>")]):
            self.write(f"src/{folder}/f{number}.c", f"#include {header}\n")
        self.assertEqual(len(check_layers.check(self.root)), 7)

    def test_a_folder_that_is_in_no_row_is_found(self):
        self.write("src/surprise/a.c", "")
        self.assertEqual(len(check_layers.check(self.root)), 1)

    def test_main_may_not_look_into_the_machine(self):
        self.write("src/main.c", '#include "tidegate/app/app.h"\n#include "tidegate/net/conn.h"\n')
        self.assertEqual(len(check_layers.check(self.root)), 1)


class Sizes(TreeCase):
    """check_sizes.py"""

    def function(self, lines, comment="", parameters="void", body="    step();\n"):
        return f"{comment}static void work({parameters})\n{{\n" + body * (lines - 3) + "}\n"

    def hard(self, text, name="src/base/a.c"):
        self.write(name, text)
        return check_sizes.check(self.root)[1]

    def soft(self, text, name="src/base/a.c"):
        self.write(name, text)
        return check_sizes.check(self.root)[0]

    def test_the_repository_keeps_to_its_sizes(self):
        soft, hard = check_sizes.check(REPOSITORY)
        for line in soft:
            print("# long:", line)
        self.none(hard)

    def test_a_function_within_its_size_is_not_named(self):
        self.assertEqual(self.soft(self.function(50)), [])

    def test_a_long_function_is_named_and_a_very_long_one_fails(self):
        self.assertEqual(self.hard(self.function(60)), [])
        self.assertEqual(len(self.soft(self.function(60))), 1)
        self.assertEqual(len(self.hard(self.function(71))), 1)

    def test_a_long_function_may_say_why(self):
        self.assertEqual(self.hard(self.function(90, "// long: one case a state\n")), [])

    def test_a_long_file_and_a_long_header_fail(self):
        self.assertEqual(len(self.hard("int a;\n" * 701)), 1)
        self.write("src/base/a.c", "")
        self.assertEqual(len(self.hard("int a;\n" * 151, "include/tidegate/base/a.h")), 1)

    def test_many_parameters_are_named(self):
        self.assertEqual(len(self.soft(self.function(5, parameters="int a, int b, int c, int d,"
                                                                   " int e, int f"))), 1)
        self.assertEqual(self.soft(self.function(5, parameters="int a, void (*b)(int, int),"
                                                               " int c, int d, int e")), [])

    def test_deep_nesting_is_named(self):
        body = "".join(" " * 4 * depth + "if (x) {\n" for depth in range(1, 5)) \
            + "".join(" " * 4 * depth + "}\n" for depth in range(4, 0, -1))
        self.assertEqual(len(self.soft("void f(void)\n{\n" + body + "}\n")), 1)


class Format(TreeCase):
    """check_format.py"""

    def test_the_repository_is_formatted(self):
        self.none(check_format.check(REPOSITORY))

    def test_a_badly_formatted_file_is_found(self):
        self.write("src/base/a.c", "int a( void ){\n  return 1; }\n")
        self.assertTrue(check_format.check(self.root))

    def test_a_well_formatted_file_is_not(self):
        self.write("src/base/a.c", "int a(void)\n{\n    return 1;\n}\n")
        self.none(check_format.check(self.root))


class Words(TreeCase):
    """check_words.py"""

    def test_the_repository_has_no_such_word(self):
        self.none(check_words.check(REPOSITORY))

    def test_each_kind_of_word_is_found(self):
        self.write("a.c", "// TO" + "DO: later\n")
        self.write("b.md", "see /wo" + "rk/main/x\n")
        self.write("c.sh", "curl https://py" + "pi.org/x\n")
        self.assertEqual(len(check_words.check(self.root)), 3)

    def test_words_that_only_contain_such_a_word_are_fine(self):
        self.write("a.c", "int hackathon; // METHOD" + "OLOGY\n")
        self.none(check_words.check(self.root))


class Tour(TreeCase):
    """check_tour.py"""

    SOURCE = "static void conn_{0}(struct conn *conn)\n{{\n}}\n"

    def readme(self, names, quoted=True):
        mark = "`" if quoted else ""
        return "".join(f"| {mark}net/conn.c{mark} | {mark}conn_{name}{mark} | bytes |\n"
                       for name in names)

    def test_the_tour_of_the_repository_is_true(self):
        self.none(check_tour.check(REPOSITORY))

    def test_a_true_tour_is_fine_in_a_table_or_in_text(self):
        names = [chr(ord("a") + i) for i in range(16)]
        self.write("src/net/conn.c", "".join(self.SOURCE.format(name) for name in names))
        for quoted in (True, False):
            self.write("README.md", self.readme(names, quoted))
            self.none(check_tour.check(self.root))
        self.write("README.md", "".join(f"  net/conn.c    conn_{n}   bytes\n" for n in names))
        self.none(check_tour.check(self.root))

    def test_a_stop_that_is_gone_is_found(self):
        names = [chr(ord("a") + i) for i in range(16)]
        self.write("src/net/conn.c", "".join(self.SOURCE.format(name) for name in names[1:])
                   + "void x(void)\n{\n    conn_a(y);\n}\nvoid conn_a(struct conn *conn);\n")
        self.write("README.md", self.readme(names))
        self.assertEqual(check_tour.check(self.root), ["net/conn.c: does not define conn_a"])

    def test_a_short_tour_is_found(self):
        self.write("README.md", self.readme("a"))
        self.assertIn("names 1 functions", check_tour.check(self.root)[0])


class Scripts(unittest.TestCase):
    """What is started by hand can be started."""

    def test_commands_are_executable_and_say_how_to_run_them(self):
        for name in ("deploy/up", "tests/run", ".ci/run", "bench/run"):
            path = REPOSITORY / name
            if name == "bench/run" and not path.exists():
                continue
            with self.subTest(name=name):
                self.assertTrue(os.access(path, os.X_OK))
                self.assertTrue(path.read_text(encoding="utf-8").startswith("#!"))


if __name__ == "__main__":
    unittest.main()
