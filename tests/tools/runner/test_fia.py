"""The fia contract: values put into the text, /output, and what the script says at its end."""

import os
import unittest

from runner_case import RunnerCase, variable


class ValuesTest(RunnerCase):
    def text_as_run(self, script, *variables, **job):
        result = self.run_fia(script, variables=list(variables), **job)
        self.assert_succeeded(result)
        self.remarks = result["remarks"]
        return self.read_output("reduction_log/reduce.py")

    def test_the_first_assignment_of_a_literal_gets_the_value(self):
        text = self.text_as_run(
            'import os\nei = 5.0  # meV\nmask = "a.xml"; flag = False\nif flag:\n    ei = 1\nei = ei + 1\nei = 9\nprint(ei, mask, flag)\n',
            variable("ei", 7), variable("mask", "it's \"b\".xml"), variable("flag", True),
        )
        self.assertEqual(text.split("\n")[1:3], ["ei = 7  # meV", "mask = 'it\\'s \"b\".xml'; flag = True"])
        self.assertIn("\nei = 9\n", text)
        self.assertEqual(self.stdout, "9 it's \"b\".xml True\n")

    def test_lines_stay_where_they_are(self):
        script = "energies = [\n    1,\n    2,\n]\ntext = '''a\nb'''\nlimits = (1,\n  2)\nprint(energies, text, limits)\n1 / 0\n"
        values = [variable("energies", [3, None]), variable("text", "c"), variable("limits", [5, 6])]
        result = self.run_fia(script, variables=values)
        self.assert_failed(result, "script_exception", "ZeroDivisionError")
        self.assertEqual(self.stdout, "[3, None] c (5, 6)\n")
        self.assertIn('File "%s", line 10, in <module>' % self.original("reduce.py"), result["traceback"])

    def test_annotations_and_values_equal_to_the_scripts_leave_the_text_alone(self):
        script = "a: int = 1\nb = (1.50,)\nprint(a, b)\n"
        self.assertEqual(self.text_as_run(script, variable("a", 1), variable("b", [1.5])), script)
        self.assertEqual(self.text_as_run(script, variable("a", 2)).split("\n")[0], "a: int = 2")

    def test_only_literals_at_the_top_level_are_replaced(self):
        script = "a = b = 1\nc, d = 1, 2\ne = max(1, 2)\nf(g=1) if False else None\nif True: h = 1; i = 2\n"
        for name in "abcdefghi":
            with self.subTest(name):
                self.assertEqual(self.text_as_run(script, variable(name, 9)), script)
                self.assertEqual(self.remarks, ["the script assigns no literal to %s at its top level, so its value was not given" % name])

    def test_a_value_is_never_code(self):
        value = "'; import os; os._exit(3) #\n{x} \\ "
        self.text_as_run("note = ''\nprint(note)\n", variable("note", value))
        self.assertEqual(self.stdout, value + "\n")

    def test_the_run_itself_takes_the_place_of_the_authors_examples(self):
        script = (
            'runno = 29170\nrun_number = "29170"\ninput_runs = [1]\nrun_numbers = ["1"]\ninput_file = "/old"\ninput_files = []\n'
            "rb_number = 1\nexperiment_number = ''\nprint(runno, repr(run_number), input_runs, run_numbers, input_file, input_files,"
            " rb_number, repr(experiment_number))\n"
        )
        self.text_as_run(script, run_number=28001, experiment="2010001")
        self.assertEqual(self.stdout, "28001 '28001' [28001] ['28001'] %s %r 2010001 '2010001'\n" % (self.raw, [self.raw]))
        self.text_as_run(script, run_number=28001, run_numbers=[28001, 28002], input_files=[self.raw, "/b"], experiment="cal 5")
        self.assertEqual(self.stdout, "[28001, 28002] ['28001', '28002'] [28001, 28002] ['28001', '28002'] %r %r cal 5 'cal 5'\n" % ((["%s", "/b"],) * 2)
                         % (self.raw, self.raw))
        self.text_as_run("runno = 5\nrb_number = 6\nprint(runno, rb_number)\n")
        self.assertEqual(self.stdout, "5 6\n")

    def test_a_variable_of_such_a_name_that_somebody_set_wins(self):
        self.text_as_run("runno = 29170\nprint(runno)\n", variable("runno", 4), run_number=28001)
        self.assertEqual(self.stdout, "4\n")

    def test_a_url_arrives_whole(self):
        value = {"url": "https://x/m.xml", "default": "m.xml", "value": "<mask/>", "path": "/scratch/support/m.xml"}
        self.text_as_run("mask = {'url': 'https://x/m.xml', 'default': 'm.xml'}\nprint(sorted(mask), mask['value'])\n", variable("mask", value))
        self.assertEqual(self.stdout, "['default', 'path', 'url', 'value'] <mask/>\n")

    def test_encodings_and_marks_are_kept(self):
        script = b"# -*- coding: latin-1 -*-\r\nunit = '\xb0'\r\nname = ''\r\nassert unit == chr(0xb0) and name == chr(0x3b1)\r\n"
        self.assert_succeeded(self.run_fia(script, variables=[variable("name", "\u03b1")]))
        self.assert_succeeded(self.run_fia(b"\xef\xbb\xbfei = 1\nassert ei == 2\n", variables=[variable("ei", 2)]))

    def test_a_syntax_error_is_the_scientists(self):
        self.assert_failed(self.run_fia("a = 1\nprint a\n"), "script_syntax", self.original("reduce.py") + ", line 2: SyntaxError")


class OutputTest(RunnerCase):
    def printed_by(self, script, **job):
        self.assert_succeeded(self.run_fia(script, **job))
        return self.stdout.splitlines()

    def test_output_means_the_output_directory(self):
        script = r'''
import os
from pathlib import Path
x = 1
print("/output"); print("/output/"); print(b"/output/a".decode()); print(f"/output/{x}"); print(f"/output"); print(Path("/output") / "b")
print("/outputs"); print("x/output/y"); print(f"{x}/output/z"); print({"/output": 1}); print("/out" "put/c")
def f(folder="/output"): return folder
print(f())
'''
        out = self.output
        self.assertEqual(
            self.printed_by(script),
            [out, out + "/", out + "/a", out + "/1", out, out + "/b", "/outputs", "x/output/y", "1/output/z", str({out: 1}), out + "/c", out],
        )
        self.assertIn('"/output/"', self.read_output("reduction_log/reduce.py"))

    def test_it_does_in_captured_modules_too(self):
        sibling = self.write_script("paths.py", "root = '/output/a'\n")
        self.assertEqual(self.printed_by("import paths\nprint(paths.root)\n", siblings={"paths.py": sibling}), [self.output + "/a"])

    def test_what_output_names_is_declared(self):
        make = "for name in ('a.nxs', 'b.nxs'): open('/output/' + name, 'w').close()\n"
        for value, declared, remarks in (
            ("'/output/a.nxs'", ["a.nxs"], []),
            ("'/out' + 'put/a.nxs'", ["a.nxs"], []),
            ("['a.nxs', 'b']", ["a.nxs", "b.nxs"], []),
            ("{'b.nxs', 'a.nxs'}", ["a.nxs", "b.nxs"], []),
            ("[]", [], []),
            ("None", [], []),
            ("''", [], []),
            ("['c.nxs']", [], ["named as a result, but not made: c.nxs"]),
            ("print", [], ["output is a builtin_function_or_method, which names no files: a text or a list of texts does"]),
            ("[1]", [], ["output is a list, which names no files: a text or a list of texts does"]),
        ):
            with self.subTest(value):
                result = self.run_fia(make + "output = %s\n" % value)
                self.assert_succeeded(result)
                self.assertEqual((result["declared"], result["remarks"]), (declared, remarks))

    def test_files_are_declared_when_it_raises_afterwards(self):
        result = self.run_fia("open('/output/a.nxs', 'w').close()\noutput = 'a.nxs'\nraise ValueError('late')\n")
        self.assert_failed(result, "script_exception", "ValueError: late")
        self.assertEqual(result["declared"], ["a.nxs"])


class LastLineTest(RunnerCase):
    def ended_with(self, line, more=""):
        return self.run_fia("import json, sys\nopen('/output/a.nxs', 'w').close()\nprint('working')\n%s\n%s" % (line, more))

    def test_successful_succeeds_and_names_its_files(self):
        for status in ("Successful", "SUCCESSFUL"):
            result = self.ended_with("print(json.dumps({'status': %r, 'status_message': '', 'output_files': ['a.nxs'], 'stacktrace': ''}))" % status)
            self.assert_succeeded(result)
            self.assertEqual(result["declared"], ["a.nxs"])

    def test_any_other_status_fails_with_its_message_and_stack(self):
        result = self.ended_with("print(json.dumps({'status': 'Unsuccessful', 'status_message': 'no vanadium', 'stacktrace': 'at line 5'}))")
        self.assert_failed(result, "script_exception", "no vanadium")
        self.assertEqual(result["traceback"], "at line 5")
        result = self.ended_with("sys.stdout.buffer.write(b'{\"status\": \"Error\"}\\n')\nsys.exit()")
        self.assert_failed(result, "script_exception", "the script's status is Error")

    def test_only_the_last_line_counts(self):
        for text in ("print('{\"status\": \"Error\"}'); print('done')", "print('{\"state\": \"Error\"}')", "print('{')", "print('[1]')", "pass",
                     "print('{\"status\": 5}')", "print('[' * 100000)"):
            with self.subTest(text):
                self.assert_succeeded(self.ended_with(text))

    def test_a_long_last_line_after_much_output(self):
        result = self.ended_with("for _ in range(100): print('x' * 50000)\nprint(json.dumps({'status': 'Error', 'status_message': 'm' * 500000}))")
        self.assert_failed(result, "script_exception", "mmm")

    def test_an_exception_is_not_undone_by_a_line(self):
        self.assert_failed(self.ended_with("print('{\"status\": \"Successful\"}')", "raise ValueError('after')\n"), "script_exception", "after")


if __name__ == "__main__":
    unittest.main()
