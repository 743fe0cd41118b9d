"""The commands: check, config, version, help; wrong files; where a setting comes from."""

import json
import pathlib
import shutil
import tempfile
import unittest

from support import gateway, names


class CommandCase(unittest.TestCase):
    """A folder with files in it, and the program run to its end."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tidegate-commands-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def write(self, text, name="t.json"):
        path = self.folder / name
        path.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
        return path

    def run_it(self, *args, **options):
        done = gateway.run_command(*args, cwd=self.folder, **options)
        for mark in gateway.SANITIZER_MARKS:
            self.assertNotIn(mark, done.stderr)
        return done

    def print_config(self, text, *args, env=None):
        path = self.write(text)
        done = self.run_it("config", "--print", "--config", path, *args, env=env)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)


class Help(CommandCase):
    """Words for people."""

    def test_version_is_one_line(self):
        done = self.run_it("version")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"^tidegate \d+\.\d+\.\d+[^\n]*\n$")

    def test_each_command_has_help(self):
        for args in (["--help"], ["serve", "--help"], ["check", "--help"], ["config", "--help"],
                     ["version", "--help"]):
            with self.subTest(args=args):
                done = self.run_it(*args)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn("tidegate", done.stdout)
                self.assertEqual(done.stderr, "")

    def test_a_wrong_command_or_flag_is_2(self):
        for args in (["nonsense"], ["serve", "--nonsense"], ["check"], [],
                     ["serve", "--config"], ["config", "--print", "extra"]):
            with self.subTest(args=args):
                done = self.run_it(*args)
                self.assertEqual(done.returncode, 2, done)
                self.assertTrue(done.stderr)


class Check(CommandCase):
    """A wrong file gets one line: file, line, column, key, what was expected."""

    def wrong(self, text, *words, line=None, column=None):
        path = self.write(text)
        done = self.run_it("check", "--config", path)
        self.assertEqual(done.returncode, 2, done)
        lines = done.stderr.strip().split("\n")
        self.assertEqual(len(lines), 1, done.stderr)
        for word in words:
            self.assertIn(word, lines[0])
        if line is not None:
            self.assertIn(f"{path}:{line}:{column if column is not None else ''}", lines[0])
        else:
            self.assertIn(str(path), lines[0])
        return lines[0]

    def test_a_good_file_is_0(self):
        done = self.run_it("check", "--config", self.write(gateway.BASE))
        self.assertEqual(done.returncode, 0, done.stderr)
        done = self.run_it("check", "-c", self.write("{}"))
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_the_sample_configuration_is_good(self):
        done = gateway.run_command("check", "--config",
                                   gateway.REPOSITORY / "deploy" / "tidegate.json",
                                   cwd=gateway.REPOSITORY)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_an_unknown_key_is_named_with_a_near_one(self):
        self.wrong('{\n  "workres": 2\n}\n', "workres", 'workers', "did you mean", line=2)
        self.wrong('{\n  "client": {\n    "ping_intervall": "5s"\n  }\n}\n',
                   "client.ping_intervall", "ping_interval", line=3)

    def test_an_unknown_key_far_from_all_has_no_hint(self):
        self.assertNotIn("did you mean", self.wrong('{"zzzzqqqq": 2}', "zzzzqqqq"))

    def test_a_wrong_type_says_what_was_expected(self):
        self.wrong('{\n  "workers": "many"\n}\n', "workers", "expected", line=2)
        self.wrong('{"client": {"ping_interval": 5}}', "client.ping_interval", "expected")
        self.wrong('{"client": []}', "client", "expected")
        self.wrong('{"routes": {}}', "routes", "expected")

    def test_a_value_out_of_bounds_says_the_bounds(self):
        self.wrong('{"workers": 100000}', "workers")
        self.wrong('{"workers": -1}', "workers")
        self.wrong('{"client": {"ping_interval": "1ms"}}', "client.ping_interval")

    def test_a_word_that_is_no_choice_lists_the_choices(self):
        self.wrong('{"log": {"level": "loud"}}', "log.level", "debug", "info", "warn", "error")

    def test_a_duration_or_size_without_sense_is_refused(self):
        for text in ("25", "x", "-5s", "5 parsecs", "", "99999999999999999999s"):
            self.wrong(json.dumps({"client": {"ping_interval": text}}), "client.ping_interval")
        for text in ("x", "-1KiB", "1XB", ""):
            self.wrong(json.dumps({"client": {"queue_max_size": text}}), "client.queue_max_size")

    def test_broken_json_has_its_place(self):
        self.wrong('{\n  "workers": 2,\n}\n', line=3)
        self.wrong('{"workers": 2', "t.json:1:")

    def test_a_key_twice_is_refused(self):
        self.wrong('{"workers": 1, "workers": 2}', "t.json:1:")

    def test_an_item_of_a_list_is_named_by_its_place(self):
        self.wrong('{"routes": [\n{"path": "/a", "kind": "echo"},\n'
                   '{"path": "/b", "kind": "ecko"}\n]}', "routes", "kind", "echo", line=3)
        self.wrong('{"routes": [{"path": "/a", "kind": "echo", "sped": 1}]}', "sped")

    def test_routes_that_cannot_work_are_refused(self):
        for route, word in (
                ({"path": "a", "kind": "echo"}, "path"),
                ({"kind": "echo"}, "path"),
                ({"path": "/a"}, "kind"),
                ({"path": "/a/*/b", "kind": "echo"}, "path"),
                ({"path": "/a/{", "kind": "echo"}, "path"),
                ({"path": "/a/{x}/{x}", "kind": "echo"}, "path"),
                ({"path": "/c/{name}", "kind": "channel", "channel": "{other}"}, "channel"),
                ({"path": "/c", "kind": "channel"}, "channel"),
                ({"path": "/f/*", "kind": "files"}, "root")):
            with self.subTest(route=route):
                self.wrong(json.dumps({"routes": [route]}), word)

    def test_routes_in_conflict_are_refused(self):
        self.wrong(json.dumps({"routes": [{"path": "/a/{x}", "kind": "echo"},
                                          {"path": "/a/{y}", "kind": "echo"}]}), "/a/{y}")
        self.wrong(json.dumps({"routes": [{"path": "/a", "kind": "echo"},
                                          {"path": "/a", "kind": "echo"}]}), "/a")

    def test_the_same_path_on_two_hosts_is_no_conflict(self):
        path = self.write({"routes": [{"path": "/a", "host": "one.example", "kind": "echo"},
                                      {"path": "/a", "host": "two.example", "kind": "echo"},
                                      {"path": "/a", "kind": "echo"}]})
        self.assertEqual(self.run_it("check", "--config", path).returncode, 0)

    def test_size_and_time_of_history_go_together(self):
        self.wrong('{"channel": {"without_namespace": {"history_size": 5}}}', "history")

    def test_a_pong_timeout_past_the_interval_is_refused(self):
        self.wrong('{"client": {"ping_interval": "5s", "pong_timeout": "6s"}}', "pong_timeout")

    def test_a_namespace_twice_or_badly_named_is_refused(self):
        self.wrong('{"channel": {"namespaces": [{"name": "ab"}, {"name": "ab"}]}}', "ab")
        for name in ("", "a:b", "a b"):
            self.wrong(json.dumps({"channel": {"namespaces": [{"name": name}]}}), "name")

    def test_a_listener_twice_or_without_a_place_is_refused(self):
        self.wrong('{"listeners": [{"name": "a", "address": "127.0.0.1", "port": 8000},'
                   '{"name": "a", "address": "127.0.0.1", "port": 8001}]}', "name")
        self.wrong('{"listeners": [{"name": "a", "address": "not an address", "port": 80}]}',
                   "address")
        self.wrong('{"listeners": [{"name": "a", "address": "127.0.0.1", "port": 70000}]}', "port")
        self.wrong('{"listeners": [{"name": "a", "address": "127.0.0.1", "port": 1, '
                   '"serves": ["everyone"]}]}', "serves")

    def test_a_file_that_is_not_there_is_said(self):
        done = self.run_it("check", "--config", self.folder / "nothing.json")
        self.assertEqual(done.returncode, 2)
        self.assertIn("nothing.json", done.stderr)

    def test_serve_starts_nothing_with_a_wrong_file(self):
        path = self.write('{"workres": 2}')
        done = self.run_it("serve", "--config", path)
        self.assertEqual(done.returncode, 2)
        self.assertNotIn("listening", done.stderr)
        self.assertEqual(len(done.stderr.strip().split("\n")), 1, done.stderr)


class Sources(CommandCase):
    """Flag, variable, file, default: the stronger wins."""

    def test_the_order_is_flag_variable_file_default(self):
        file = {"client": {"ping_interval": "30s"}}
        variable = {"TIDEGATE_CLIENT_PING_INTERVAL": "40s"}
        flag = ["--set", "client.ping_interval=50s"]
        self.assertEqual(self.print_config({})["client"]["ping_interval"], "25s")
        self.assertEqual(self.print_config(file)["client"]["ping_interval"], "30s")
        self.assertEqual(self.print_config(file, env=variable)["client"]["ping_interval"], "40s")
        self.assertEqual(
            self.print_config(file, *flag, env=variable)["client"]["ping_interval"], "50s")

    def test_a_list_can_be_set_as_json(self):
        printed = self.print_config(
            {}, "--set", 'client.allowed_origins=["https://a.example","https://b.example"]')
        self.assertEqual(printed["client"]["allowed_origins"],
                         ["https://a.example", "https://b.example"])
        printed = self.print_config(
            {}, "--set", 'listeners=[{"name":"x","address":"127.0.0.1","port":7000}]')
        self.assertEqual(printed["listeners"][0]["port"], 7000)

    def test_secrets_are_masked(self):
        path = self.write({"http_api": {"key": "very-secret-key"}})
        done = self.run_it("config", "--print", "--config", path)
        self.assertNotIn("very-secret-key", done.stdout)
        self.assertIn("key", json.loads(done.stdout)["http_api"])

    def test_what_is_printed_can_be_read_again(self):
        printed = self.print_config(gateway.BASE)
        again = self.print_config(printed)
        self.assertEqual(printed, again)

    def test_a_wrong_flag_or_variable_is_named(self):
        path = self.write({})
        done = self.run_it("check", "--config", path, "--set", "client.ping_intervall=5s")
        self.assertEqual(done.returncode, 2)
        self.assertIn("client.ping_intervall", done.stderr)
        done = self.run_it("check", "--config", path, "--set", "workers")
        self.assertEqual(done.returncode, 2)
        done = self.run_it("check", "--config", path, env={"TIDEGATE_WORKERS": "many"})
        self.assertEqual(done.returncode, 2)
        self.assertIn("TIDEGATE_WORKERS", done.stderr)

    def test_an_unknown_variable_is_told(self):
        done = self.run_it("check", "--config", self.write({}), env={"TIDEGATE_WORKRES": "2"})
        self.assertIn("TIDEGATE_WORKRES", done.stderr)

    def test_variables_reach_a_running_gateway(self):
        with gateway.Gateway(env={"TIDEGATE_HTTP_API_KEY": "from-variable"}) as under_test:
            with under_test.api("from-variable") as api:
                self.assertEqual(api.call("info").status, 200)
            with under_test.api(names.API_KEY) as api:
                self.assertEqual(api.call("info").status, 401)

    def test_flags_reach_a_running_gateway(self):
        with gateway.Gateway(env={"TIDEGATE_HTTP_API_KEY": "from-variable"},
                             args=["--set", "http_api.key=from-flag"]) as under_test:
            with under_test.api("from-flag") as api:
                self.assertEqual(api.call("info").status, 200)


class Schema(CommandCase):
    """config --schema."""

    def test_the_schema_is_json_and_knows_every_printed_setting(self):
        done = self.run_it("config", "--schema")
        self.assertEqual(done.returncode, 0, done.stderr)
        schema = json.loads(done.stdout)
        self.assertEqual(schema["type"], "object")
        self.compare(self.print_config({}), schema, "")

    def compare(self, value, schema, where):
        if not isinstance(value, dict):
            return
        for key, inner in value.items():
            self.assertIn(key, schema["properties"], where + key)
            self.compare(inner, schema["properties"][key], f"{where}{key}.")

    def test_the_schema_refuses_unknown_keys(self):
        schema = json.loads(self.run_it("config", "--schema").stdout)
        self.assertIs(schema["additionalProperties"], False)


if __name__ == "__main__":
    unittest.main()
