"""A script's own variables, read without running the script."""

import json
import os
import subprocess
import sys
import unittest

from runner_case import RUNNER, RunnerCase


class ReduceVarsTest(RunnerCase):
    def read(self, text):
        self.write_script("reduce_vars.py", text)
        return self.read_defaults("isis", "reduce.py")

    def values(self, text):
        answer = self.read(text)
        self.assertIsNone(answer["problem"])
        return [(entry["group"], entry["name"], entry["value"]) for entry in answer["variables"]]

    def test_an_empty_file_offers_nothing(self):
        self.assertEqual(self.read(""), {"variables": [], "none": False, "problem": None})

    def test_a_missing_file_means_a_script_without_variables(self):
        self.write_script("reduce.py", "")
        self.assertEqual(self.read_defaults("isis", "reduce.py"), {"variables": [], "none": True, "problem": None})

    def test_urls_are_kept_as_they_are(self):
        given = {"url": "https://facility/masks/m.xml", "default": "m.xml"}
        self.assertEqual(self.values("standard_vars = {'mask file': %r}\n" % given), [("standard", "mask file", given)])
        for text in ("{'url': 'x'}", "{'url': 1, 'default': 'm'}", "{'url': 'x', 'default': '\\udcff'}", "{'url': 'x', 'default': 'm', 'value': 'v'}"):
            with self.subTest(text):
                self.assertEqual(list(self.values("standard_vars = {'mask file': %s}\n" % text)[0][2]), ["python"])

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
        self.neighbour("common.py", "beam = 'south'\n")
        self.assertEqual(self.values("import common\nstandard_vars = {'beam': common.beam}\n"), [("standard", "beam", "south")])
        self.assertNotIn("__pycache__", os.listdir(self.archive))

    def test_captured_modules_beside_it_win(self):
        self.write_script("common.py", "beam = 'captured'\n")
        self.change_original("common.py", "beam = 'changed since'\n")
        self.assertEqual(self.values("import common\nstandard_vars = {'beam': common.beam}\n"), [("standard", "beam", "captured")])
        self.write_script("common.py", "x = 1\nprint 2\n")
        self.assertIn(self.original("common.py") + ", line 2: SyntaxError", self.read("import common\n")["problem"])

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


class TemplateTest(RunnerCase):
    """sns: the places of a template, and what a filled script has there."""

    def read(self, template, **scripts):
        self.write_script("reduce_DEMO.py.template", template)
        for name, text in scripts.items():
            self.write_script("reduce_%s.py" % name, text)
        answer = self.read_defaults("sns", "reduce_DEMO.py.template")
        self.assertEqual((answer["none"], answer["problem"]), (False, None))
        return {entry["name"]: entry.get("value", "no default") for entry in answer["variables"]}

    def test_each_place_once_in_their_order(self):
        self.read("a = ${z}\nb = ${a} + ${z}\nc = '$plain $$HOME $5'\n")
        self.assertEqual(
            self.read_defaults("sns", "reduce_DEMO.py.template")["variables"],
            [{"group": "standard", "name": name, "help": ""} for name in ("z", "a", "plain")],
        )

    def test_values_of_a_filled_script(self):
        template = """
            import os
            mask = "${mask}"
            number = '${number}'
            grid=[${low}, ${step},${high}]
            ei = ${ei}
            flag = ${flag}
            function = ${function}
            quoted = ${quoted}
            call(Name='${name}', Runs=${runs}) # ${remark}
            ${alone}
            missing = ${missing}
            """
        filled = """
            import sys
            mask = "m (1).xml"
            number = '12'
            grid = [0.5, 1e-1,  inf]
            ei = 25.0   # meV
            flag = None
            function = numpy.pi
            quoted = "text"
            call(Name='a', Runs=(1, 2)) # as agreed
            alone
            """
        expected = {
            "mask": "m (1).xml", "number": "12", "low": 0.5, "step": 0.1, "high": "inf", "ei": 25.0, "flag": None, "function": "numpy.pi",
            "quoted": '"text"', "name": "a", "runs": [1, 2], "remark": "as agreed", "alone": "no default", "missing": "no default",
        }
        self.assertEqual(self.read(template, DEMO_default=filled, DEMO="mask = 'other'\n"), expected)
        os.remove(os.path.join(self.captured, "reduce_DEMO_default.py"))
        self.assertEqual(self.read(template, DEMO=filled), expected)

    def test_lines_that_look_alike_are_taken_where_they_stand(self):
        template = "set(1, ${a})\nset(1, ${b})\nset(1, 5)\n"
        self.assertEqual(self.read(template, DEMO="set(1, 3)\nset(1, 4)\nset(1, 5)\n"), {"a": 3, "b": 4})

    def test_any_text_is_read_in_no_time(self):
        line = "x = " + ", ".join("${v%d}" % index for index in range(100)) + " end\n"
        self.assertEqual(set(self.read(line, DEMO=("x = " + ", " * 900 + "\n") * 50).values()), {"no default"})
        self.assertEqual(self.read(b"a = ${a} # \xff\n", DEMO=b"a = 1 # \xff\n"), {"a": 1})

    def test_a_plain_script_has_none(self):
        self.write_script("reduce_DEMO.py", "mask = '${mask}'\n")
        self.assertEqual(self.read_defaults("sns", "reduce_DEMO.py"), {"variables": [], "none": True, "problem": None})


class AssignmentTest(RunnerCase):
    """fia: what the script assigns at its top level."""

    def read(self, text):
        self.write_script("reduce.py", text)
        return self.read_defaults("fia", "reduce.py")

    def test_literals_in_their_order(self):
        answer = self.read(
            """
            import os
            text = "a" "b"; number = -5
            energies: list = [1, 2.5,  # meV
                              None]
            limits = (1, 2)
            mask = {"url": "https://x", "default": "m.xml"}
            grid = {1: 2}
            number = 6
            path = os.path.join("a", "b")
            a = b = 1
            if text:
                inner = 1
            else: other = 2
            for x in []: loop = 1; after = 2
            def f(p=1): local = 1
            _private = 1
            output = ""
            runno = 29170
            input_file = "/archive/x.nxs"
            """
        )
        self.assertEqual((answer["none"], answer["problem"]), (False, None))
        self.assertEqual(
            [(entry["name"], entry["value"]) for entry in answer["variables"]],
            [("text", "ab"), ("number", -5), ("energies", [1, 2.5, None]), ("limits", [1, 2]),
             ("mask", {"url": "https://x", "default": "m.xml"}), ("grid", {"python": "{1: 2}"})],
        )
        self.assertEqual(answer["variables"][0], {"group": "standard", "name": "text", "value": "ab", "help": ""})

    def test_nothing_of_it_is_run(self):
        self.assertEqual(self.read("1 / 0\nraise Exception\n"), {"variables": [], "none": False, "problem": None})

    def test_what_is_not_python_is_told(self):
        for text in ("a = 1\nprint a\n", b"a = 1\n\xff\n", b"a = 1\n\0\n"):
            answer = self.read(text)
            self.assertEqual(answer["variables"], [])
            self.assertIn(self.original("reduce.py") + ", line 2: SyntaxError", answer["problem"])


class CommandTest(RunnerCase):
    def test_a_wrong_command_says_how(self):
        for arguments in ([], ["--defaults", "isis", "out.json"], ["--defaults", "live", "--folder", "/", "--script", "/reduce.py", "out.json"]):
            ended = subprocess.run([sys.executable, RUNNER] + arguments, stderr=subprocess.PIPE, cwd=self.work)
            self.assertEqual(ended.returncode, 2)
            self.assertIn(b"usage: run_script.py JOB.json", ended.stderr)
            self.assertEqual(os.listdir(self.work), [])

    def test_a_script_that_is_not_there_is_a_problem(self):
        for contract, script in (("fia", "reduce.py"), ("sns", "reduce_DEMO.py.template")):
            self.assertIn("No such file", self.read_defaults(contract, script)["problem"])


if __name__ == "__main__":
    unittest.main()
