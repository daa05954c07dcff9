"""What reduce_vars.py offers, read without running the script."""

import json
import os
import subprocess
import sys
import unittest

from runner_case import RUNNER, RunnerCase


class DefaultsTest(RunnerCase):
    def read(self, text):
        self.write_script("reduce_vars.py", text)
        copy = os.path.join(self.captured, "copy-1.py")
        os.rename(os.path.join(self.captured, "reduce_vars.py"), copy)
        out = os.path.join(self.root, "defaults.json")
        self.ended = subprocess.run(
            [sys.executable, RUNNER, "--defaults", copy, "--script", self.archive, out],
            cwd=self.work,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=60,
        )
        self.assertEqual(self.ended.returncode, 0, self.ended.stderr)
        with open(out) as file:
            return json.load(file)

    def values(self, text):
        answer = self.read(text)
        self.assertIsNone(answer["problem"])
        return [(entry["group"], entry["name"], entry["value"]) for entry in answer["variables"]]

    def test_an_empty_file_offers_nothing(self):
        self.assertEqual(self.read(""), {"variables": [], "problem": None})

    def test_both_groups_with_help_in_their_order(self):
        answer = self.read(
            """
            standard_vars = {'z': 1, 'Number of Runs to Merge': 2}
            advanced_vars = {'a': 'text'}
            variable_help = {'standard_vars': {'z': 'one\\nmore line'}, 'advanced_vars': {'a': 'about a', 'gone': ''}}
            """
        )
        self.assertEqual(
            answer["variables"],
            [
                {"group": "standard", "name": "z", "value": 1, "help": "one\nmore line"},
                {"group": "standard", "name": "Number of Runs to Merge", "value": 2, "help": ""},
                {"group": "advanced", "name": "a", "value": "text", "help": "about a"},
            ],
        )

    def test_a_missing_group_is_no_problem(self):
        self.assertEqual(self.values("standard_vars = {'a': None}\n"), [("standard", "a", None)])

    def test_an_ordered_dictionary_built_by_statements(self):
        text = """
            from collections import OrderedDict
            advanced_vars = OrderedDict()
            advanced_vars['b'] = 1
            advanced_vars['a'] = 2
            """
        self.assertEqual(self.values(text), [("advanced", "b", 1), ("advanced", "a", 2)])

    def test_types_are_kept_apart(self):
        values = [entry[2] for entry in self.values(
            "standard_vars = {'a': True, 'b': 1, 'c': 1.0, 'd': '1', 'e': None, 'f': [1, 'x', 2.5], 'g': (1, 2), 'h': 'None'}\n"
        )]
        self.assertEqual(json.dumps(values), '[true, 1, 1.0, "1", null, [1, "x", 2.5], [1, 2], "None"]')

    def test_what_json_cannot_say_is_given_as_python(self):
        text = """
            import collections
            loop = []
            loop.append(loop)
            standard_vars = collections.OrderedDict([('nan', float('nan')), ('inf', [1, -float('inf')]), ('dict', {'url': 'x'}),
                ('set', {1}), ('big', 2**70), ('loop', loop), ('bytes', b'x'), ('lone', '\\udcff')])
            """
        values = {name: value for _, name, value in self.values(text)}
        self.assertEqual(
            values,
            {
                "nan": {"python": "nan"},
                "inf": {"python": "[1, -inf]"},
                "dict": {"python": "{'url': 'x'}"},
                "set": {"python": "{1}"},
                "big": {"python": str(2**70)},
                "loop": {"python": "[[...]]"},
                "bytes": {"python": "b'x'"},
                "lone": {"python": "'\\udcff'"},
            },
        )

    def test_modules_beside_it_can_be_imported(self):
        with open(self.original("common.py"), "w") as file:
            file.write("beam = 'south'\n")
        self.assertEqual(self.values("import common\nstandard_vars = {'beam': common.beam}\n"), [("standard", "beam", "south")])
        self.assertNotIn("__pycache__", os.listdir(self.archive))

    def test_trouble_is_told_with_file_and_line(self):
        path = self.original("reduce_vars.py")
        for text, told in (
            ("x = 1\nstandard_vars = {'a' 1}\n", path + ", line 2: SyntaxError"),
            ("import no_such_package\n", path + ", line 1: ModuleNotFoundError: No module named 'no_such_package'"),
            ("x = 1\n1 / 0\n", path + ", line 2: ZeroDivisionError"),
            ("import sys\nsys.exit(4)\n", "ended itself with sys.exit(4)"),
            ("standard_vars = 'a'\nadvanced_vars = {'b': 1}\n", "standard_vars is a str, not a dict"),
            ("standard_vars = {1: 2}\n", "has a name that is not text, 1"),
            ("print 1\n", path + ", line 1: SyntaxError"),
        ):
            with self.subTest(text):
                self.assertIn(told, self.read(text)["problem"])

    def test_a_problem_in_one_group_keeps_the_other(self):
        answer = self.read("standard_vars = 'a'\nadvanced_vars = {'b': 1}\n")
        self.assertEqual([entry["name"] for entry in answer["variables"]], ["b"])


if __name__ == "__main__":
    unittest.main()
