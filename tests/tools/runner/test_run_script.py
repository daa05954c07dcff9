"""The script runner against scripts with the habits of real ones, and against every way a script can fail."""

import os
import signal
import subprocess
import sys
import unittest

from runner_case import RUNNER, RunnerCase, variable


class IsisContractTest(RunnerCase):
    def test_main_is_called_by_keyword_with_text_and_a_trailing_slash(self):
        result = self.run_isis(
            """
            import json
            def main(output_dir, input_file):
                print(json.dumps([type(input_file).__name__, input_file, output_dir, __name__]))
            """
        )
        self.assert_succeeded(result)
        self.assertEqual(self.printed(), ["str", self.raw, self.output + "/", "reduce"])

    def test_several_inputs_arrive_as_a_list(self):
        result = self.run_isis(
            "import json\ndef main(input_file, output_dir): print(json.dumps(input_file))\n",
            input_files=[self.raw, "/archive/second.nxs"],
        )
        self.assert_succeeded(result)
        self.assertEqual(self.printed(), [self.raw, "/archive/second.nxs"])

    def test_the_captured_text_runs_from_the_captured_folder(self):
        self.write_script("reduce.py", "import json\ndef main(input_file, output_dir): print(json.dumps(__file__))\n")
        self.change_original("reduce.py", "raise SystemExit(9)\n")
        self.assert_succeeded(self.run_job("isis", "reduce.py"))
        self.assertEqual(self.printed(), os.path.join(self.captured, "reduce.py"))

    def test_the_traceback_quotes_the_lines_that_ran(self):
        self.write_script("reduce.py", "def main(input_file, output_dir):\n    return 1 / 0  # as captured\n")
        self.change_original("reduce.py", "# something else\n# by now\n")
        result = self.run_job("isis", "reduce.py")
        self.assert_failed(result, "script_exception", "ZeroDivisionError: division by zero")
        self.assertIn("1 / 0  # as captured", result["traceback"])
        self.assertIn('File "%s", line 2, in main' % self.original("reduce.py"), result["traceback"])
        self.assertEqual(self.stderr.strip(), result["traceback"].strip())

    def test_captured_siblings_win_over_the_folder_a_script_puts_first(self):
        self.write_script("reduce.py", "import os, sys, json\nsys.path.insert(0, os.path.dirname(__file__))\n"
                          "import reduce_vars\n"
                          "def main(input_file, output_dir): print(json.dumps([reduce_vars.text, reduce_vars.__file__]))\n")
        self.write_script("reduce_vars.py", "text = 'captured'\n")
        self.change_original("reduce_vars.py", "text = 'changed since'\n")
        self.assert_succeeded(
            self.run_job("isis", "reduce.py", siblings={"reduce_vars.py": os.path.join(self.captured, "reduce_vars.py")})
        )
        self.assertEqual(self.printed(), ["captured", os.path.join(self.captured, "reduce_vars.py")])

    def test_modules_beside_the_script_import_and_leave_no_bytecode_there(self):
        self.neighbour("helpers.py", "def double(x): return 2 * x\n")
        result = self.run_isis("import helpers\ndef main(input_file, output_dir): print(helpers.double(21))\n")
        self.assert_succeeded(result)
        self.assertEqual(self.printed(), 42)
        self.assertEqual(sorted(os.listdir(self.archive)), ["helpers.py", "reduce.py"])

    def test_captured_packages_import_from_the_captured_folder(self):
        names = ("tools/__init__.py", "tools/inner/__init__.py", "tools/inner/deep.py", "loose/part.py")
        siblings = {name: self.write_script(name, "where = __file__\n") for name in names}
        for name in names:
            self.change_original(name, "raise ImportError('changed since')\n")
        self.change_original("tools/uncaptured.py", "where = 'original'\n")
        result = self.run_isis(
            """
            import json, pickle
            from tools.inner import deep
            import tools, tools.uncaptured, loose.part
            def main(input_file, output_dir):
                print(json.dumps([tools.where, tools.inner.where, deep.where, loose.part.where, tools.uncaptured.where]))
            """,
            siblings=siblings,
        )
        self.assert_succeeded(result)
        self.assertEqual(self.printed(), [siblings[name] for name in names] + ["original"])
        self.assertEqual(result["remarks"], ["read tools/uncaptured.py beside the script, which is not on record"])

    def test_a_package_elsewhere_keeps_its_modules(self):
        elsewhere = self.folder("elsewhere/tools")
        for name, text in (("__init__.py", ""), ("part.py", "where = 'elsewhere'\n")):
            with open(os.path.join(elsewhere, name), "w") as file:
                file.write(text)
        result = self.run_isis(
            "import sys\nsys.path.insert(0, %r)\nimport tools.part\n"
            "def main(input_file, output_dir): print(tools.part.where)\n" % os.path.dirname(elsewhere),
            siblings={"tools/part.py": self.write_script("tools/part.py", "where = 'captured'\n")},
        )
        self.assert_succeeded(result)
        self.assertEqual(self.stdout, "elsewhere\n")

    def test_tracebacks_name_the_files_the_scientist_keeps(self):
        self.neighbour("linked.py", "def call(): from tools.part import fail; fail()\n")
        siblings = {"tools/part.py": self.write_script("tools/part.py", "\ndef fail(): raise KeyError('x')  # captured\n")}
        result = self.run_isis("import linked\ndef main(input_file, output_dir): linked.call()\n", siblings=siblings)
        self.assert_failed(result, "script_exception", "KeyError: 'x'")
        for name, line in (("reduce.py", 2), ("linked.py", 1), ("tools/part.py", 2)):
            self.assertIn('File "%s", line %d' % (self.original(name), line), result["traceback"])
        self.assertNotIn(self.captured, result["traceback"])
        self.assertIn("raise KeyError('x')  # captured", result["traceback"])

    def test_a_syntax_error_of_an_uncaptured_neighbour_names_the_original(self):
        self.neighbour("linked.py", "x = 1\nprint x\n")
        result = self.run_isis("import linked\n")
        self.assert_failed(result, "script_syntax", self.original("linked.py") + ", line 2: SyntaxError")
        self.assertNotIn(self.captured, result["traceback"])

    def test_web_var_holds_defaults_updated_with_the_given_values(self):
        result = self.run_isis(
            """
            import json
            import reduce_vars as web_var
            at_import = web_var.standard_vars['mon']
            def main(input_file, output_dir):
                print(json.dumps([at_import, web_var.standard_vars, web_var.advanced_vars]))
            """,
            reduce_vars="standard_vars = {'mon': 1, 'wave length': 2.5}\nadvanced_vars = {'mask': None}\n",
            variables=[variable("mon", 3), variable("mask", "m.xml", "advanced"), variable("new", [1, "a"])],
        )
        self.assert_succeeded(result)
        self.assertEqual(self.printed(), [1, {"mon": 3, "wave length": 2.5, "new": [1, "a"]}, {"mask": "m.xml"}])

    def test_dictionaries_taken_by_star_import_see_the_values(self):
        result = self.run_isis(
            "import json\nfrom reduce_vars import *\ndef main(input_file, output_dir): print(json.dumps(standard_vars))\n",
            reduce_vars="standard_vars = {'mon': 1}\n",
            variables=[variable("mon", 2)],
        )
        self.assert_succeeded(result)
        self.assertEqual(self.printed(), {"mon": 2})

    def test_reduce_vars_imported_inside_main_has_the_values(self):
        result = self.run_isis(
            """
            def main(input_file, output_dir):
                import reduce_vars, json
                print(json.dumps(reduce_vars.standard_vars))
            """,
            reduce_vars="standard_vars = {'mon': 1}\n",
            variables=[variable("mon", 2)],
        )
        self.assert_succeeded(result)
        self.assertEqual(self.printed(), {"mon": 2})

    def test_value_types_arrive_as_they_were_given(self):
        values = [True, 1, 1.0, "1", None, [1, 2.0, "x"], "None"]
        result = self.run_isis(
            """
            import reduce_vars as web_var
            def main(input_file, output_dir):
                print([web_var.standard_vars[str(i)] for i in range(7)])
            """,
            reduce_vars="standard_vars = {str(i): 0 for i in range(7)}\n",
            variables=[variable(str(i), value) for i, value in enumerate(values)],
        )
        self.assert_succeeded(result)
        self.assertEqual(self.stdout.strip(), repr(values))

    def test_values_without_a_json_form_stay_the_scripts_own(self):
        result = self.run_isis(
            """
            import reduce_vars as web_var
            def main(input_file, output_dir):
                print(web_var.standard_vars)
            """,
            reduce_vars="standard_vars = {'grid': {1: 2}, 'limits': (1, 2), 'other': (3, 4)}\n",
            variables=[variable("grid", {"python": "{1: 2}"}), variable("limits", [1, 2]), variable("other", [5, 6])],
        )
        self.assert_succeeded(result)
        self.assertEqual(self.stdout.strip(), "{'grid': {1: 2}, 'limits': (1, 2), 'other': (5, 6)}")

    def test_what_main_returns_is_kept(self):
        for returned, kept in (("None", None), ("''", ""), ("'/extra'", "/extra"), ("['/a', '/b']", ["/a", "/b"])):
            with self.subTest(returned):
                result = self.run_isis("def main(input_file, output_dir): return %s\n" % returned)
                self.assert_succeeded(result)
                self.assertEqual(result["returned"], kept)

    def test_a_return_value_that_cannot_be_kept_is_named(self):
        result = self.run_isis("def main(input_file, output_dir): return object()\n")
        self.assert_succeeded(result)
        self.assertIsNone(result["returned"])
        self.assertEqual(result["remarks"], ["main returned a object, which is not kept: return None, a text or a list of texts"])

    def test_skip_text_skips_the_run(self):
        result = self.run_isis("def main(input_file, output_dir): raise RuntimeError('Skip: event mode')\n")
        self.assertEqual((result["outcome"], result["message"]), ("skipped", "Skip: event mode"))
        self.assertEqual(self.ended.returncode, 0)

    def test_an_error_that_only_mentions_skip_fails(self):
        result = self.run_isis("def main(input_file, output_dir): raise RuntimeError('cannot Skip: this')\n")
        self.assert_failed(result, "script_exception", "RuntimeError: cannot Skip: this")

    def test_a_run_in_skip_runs_is_skipped_without_calling_main(self):
        script = "SKIP_RUNS = [28000, 28001]\ndef main(input_file, output_dir): print('called')\n"
        result = self.run_isis(script, run_number=28001)
        self.assertEqual(result["outcome"], "skipped")
        self.assertIn("28001 is in the script's SKIP_RUNS", result["message"])
        self.assertNotIn("called", self.stdout)
        self.assert_succeeded(self.run_isis(script, run_number=28002))

    def test_no_main_is_a_contract_failure_naming_what_is_missing(self):
        self.assert_failed(
            self.run_isis("x = 1\n"), "contract", self.original("reduce.py"), "no main(input_file, output_dir)", "isis contract"
        )
        self.assertIn("has no main", self.stderr)

    def test_a_main_with_other_parameters_is_a_contract_failure(self):
        result = self.run_isis("def main(data, output): pass\n")
        self.assert_failed(result, "contract", "input_file", "give it these two parameters")

    def test_a_type_error_inside_main_is_the_scripts_own(self):
        result = self.run_isis("def main(input_file, output_dir): len(5)\n")
        self.assert_failed(result, "script_exception", "TypeError: object of type 'int' has no len()")

    def test_an_error_in_reduce_vars_names_that_file(self):
        result = self.run_isis(
            "import reduce_vars as web_var\ndef main(input_file, output_dir): pass\n", reduce_vars="standard_vars = {'a': 1\n\n"
        )
        self.assert_failed(result, "script_syntax", self.original("reduce_vars.py"), "line ", "SyntaxError")
        self.assertIn('File "%s", line 1, in <module>' % self.original("reduce.py"), result["traceback"])

    def test_dictionaries_of_another_type_are_a_contract_failure(self):
        result = self.run_isis(
            "import reduce_vars as web_var\ndef main(input_file, output_dir): pass\n",
            reduce_vars="standard_vars = [1]\n",
            variables=[variable("mon", 1)],
        )
        self.assert_failed(result, "contract", "standard_vars is a list, not a dict")


class SnsContractTest(RunnerCase):
    def test_it_runs_like_a_script_given_to_python(self):
        result = self.run_sns(
            """
            import json, sys
            print(json.dumps([__name__, sys.argv, sys.path[0], __file__, sys.modules['__main__'].__file__]))
            """
        )
        self.assert_succeeded(result)
        path = os.path.join(self.captured, "reduce_DEMO.py")
        self.assertEqual(self.printed(), ["__main__", [path, self.raw, self.output + "/"], self.captured, path, path])

    def test_output_on_stderr_is_no_failure_here(self):
        self.assert_succeeded(self.run_sns("import sys\nsys.stderr.write('a warning\\n')\n"))
        self.assertEqual(self.stderr, "a warning\n")

    def test_skip_text_is_an_ordinary_error(self):
        self.assert_failed(self.run_sns("raise RuntimeError('Skip: not here')\n"), "script_exception", "Skip: not here")

    def test_classes_of_the_script_can_be_pickled(self):
        result = self.run_sns("import pickle\nclass Event: pass\npickle.loads(pickle.dumps(Event()))\n")
        self.assert_succeeded(result)

    def test_two_files_are_a_contract_failure(self):
        result = self.run_sns("pass\n", input_files=[self.raw, self.raw])
        self.assert_failed(result, "contract", "takes one data file", "has 2")

    def test_an_unknown_contract_is_refused_by_name(self):
        self.write_script("reduce.py", "pass\n")
        self.assert_failed(self.run_job("live", "reduce.py"), "contract", "no such contract: live", "fia, isis, sns")


class SourceTest(RunnerCase):
    """Source text as it comes: encodings, line ends, and what is not Python at all."""

    def test_mark_and_carriage_returns_are_accepted(self):
        self.assert_succeeded(self.run_isis(b"\xef\xbb\xbfdef main(input_file, output_dir):\r\n    print('ran')\r\n"))
        self.assertIn("ran", self.stdout)

    def test_a_coding_line_is_obeyed(self):
        self.assert_succeeded(self.run_sns(b"# -*- coding: latin-1 -*-\nassert '\xe9' == chr(0xe9)\n"))

    def test_bytes_that_are_not_utf8_are_a_syntax_error_with_their_line(self):
        result = self.run_sns(b"x = 1\ny = 2\nz = '\xe9 '\n")
        self.assert_failed(result, "script_syntax", self.original("reduce_DEMO.py") + ", line 3:")

    def test_nul_bytes_are_a_syntax_error(self):
        self.assert_failed(self.run_sns(b"x = 1\n\0\n"), "script_syntax", self.original("reduce_DEMO.py"))

    def test_python_2_text_is_the_scientists_error_with_file_and_line(self):
        result = self.run_isis("import sys\n\ndef main(input_file, output_dir):\n    print input_file\n")
        self.assert_failed(result, "script_syntax", self.original("reduce.py") + ", line 4: SyntaxError")
        self.assertTrue(result["traceback"].lstrip().startswith("File "), result["traceback"])

    def test_mixed_tabs_and_blanks_are_a_syntax_error(self):
        result = self.run_isis("def main(input_file, output_dir):\n        x = 1\n\ty = 2\n")
        self.assert_failed(result, "script_syntax", "line 3: TabError")

    def test_a_syntax_error_inside_eval_is_an_exception(self):
        result = self.run_isis("def main(input_file, output_dir): eval('1 +')\n")
        self.assert_failed(result, "script_exception", "SyntaxError")

    def test_a_template_that_is_not_python_yet_is_a_syntax_error(self):
        self.assert_failed(self.run_sns("mask = ${mask}\n"), "script_syntax", "line 1: SyntaxError")


class FailureTest(RunnerCase):
    def test_exit_status_is_kept(self):
        for contract in (self.run_isis, self.run_sns):
            result = contract("import sys\nsys.exit(3)\n")
            self.assert_failed(result, "script_exit", "exit status 3")
            self.assertEqual((result["exit_status"], self.ended.returncode), (3, 3))

    def test_exit_with_text_is_status_one_and_the_text(self):
        result = self.run_sns("import sys\nsys.exit('no such calibration')\n")
        self.assert_failed(result, "script_exit", "no such calibration")
        self.assertEqual((result["exit_status"], self.ended.returncode), (1, 1))
        self.assertIn("no such calibration", self.stderr)

    def test_exit_without_a_status_succeeds(self):
        for text in ("sys.exit()", "sys.exit(0)", "sys.exit(None)", "sys.exit(False)"):
            result = self.run_sns("import sys\n%s\n" % text)
            self.assert_succeeded(result)
            self.assertEqual(result["exit_status"], 0)

    def test_a_missing_import_is_an_exception_with_its_line(self):
        result = self.run_isis("import os\nimport no_such_reduction_package\ndef main(input_file, output_dir): pass\n")
        self.assert_failed(result, "script_exception", "No module named 'no_such_reduction_package'")
        self.assertIn("line 2, in <module>", result["traceback"])

    def test_a_script_that_leaves_nothing_of_the_interpreter_is_answered(self):
        for text in ("sys.path[:] = []; sys.meta_path[:] = []", "sys.path = None", "sys.modules.clear()", "sys.modules['traceback'] = None",
                     "os.environ.clear()", "sys.modules['linecache'] = 5", "import builtins; builtins.open = None; os.path.isfile = None"):
            for run in (self.run_isis, self.run_sns, self.run_fia):
                with self.subTest(text, contract=run.__name__):
                    result = run("import os, sys\n%s\nraise ValueError('told')\n" % text)
                    self.assert_failed(result, "script_exception", "ValueError: told")

    def test_a_folder_that_is_gone_is_no_trouble(self):
        result = self.run_sns("import os, shutil, sys\nshutil.rmtree(sys.argv[2])\nos.mkdir('x'); os.chdir('x'); os.rmdir('../x')\n")
        self.assert_succeeded(result)

    def test_a_chain_of_exceptions_is_kept(self):
        result = self.run_sns("try:\n    {}['a']\nexcept KeyError as e:\n    raise ValueError('no a') from e\n")
        self.assert_failed(result, "script_exception", "ValueError: no a")
        self.assertIn("KeyError: 'a'", result["traceback"])
        self.assertIn("direct cause", result["traceback"])

    def test_endless_recursion_leaves_a_short_traceback(self):
        result = self.run_isis("def deeper(): deeper()\ndef main(input_file, output_dir): deeper()\n")
        self.assert_failed(result, "script_exception", "RecursionError")
        self.assertIn("repeated", result["traceback"])

    def test_an_exception_that_cannot_be_printed_is_reported(self):
        result = self.run_sns("class Odd(Exception):\n    def __str__(self): raise KeyError('x')\nraise Odd()\n")
        self.assert_failed(result, "script_exception", "Odd")

    def test_a_message_of_many_lines_becomes_one(self):
        result = self.run_sns("raise RuntimeError('first\\n\\nsecond ' + 'x' * 5000)\n")
        self.assert_failed(result, "script_exception", "RuntimeError: first second xxx")
        self.assertLessEqual(len(result["message"]), 1000)

    def test_an_interrupt_raised_by_the_script_is_a_failure(self):
        self.assert_failed(self.run_sns("raise KeyboardInterrupt\n"), "script_exception", "KeyboardInterrupt")

    def test_running_out_of_memory_is_its_own_kind(self):
        import resource

        limit = 600 * 1024 * 1024
        bomb = "parts = []\nwhile True: parts.append(%s)\n"
        for part in ("bytearray(1 << 24)", "[0] * 100"):
            result = self.run_sns(bomb % part, before=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
            self.assert_failed(result, "memory_limit", "MemoryError")

    def test_os_exit_leaves_no_result(self):
        self.assertIsNone(self.run_isis("import os\ndef main(input_file, output_dir): os._exit(0)\n"))
        self.assertEqual(self.ended.returncode, 0)

    def test_a_signal_leaves_no_result_and_the_line_it_came_from(self):
        result = self.run_isis("import os, signal\ndef main(input_file, output_dir): os.kill(os.getpid(), signal.SIGSEGV)\n")
        self.assertIsNone(result)
        self.assertEqual(self.ended.returncode, -signal.SIGSEGV)
        self.assertIn(self.original("reduce.py"), self.stderr)

    def test_a_forked_child_that_returns_writes_no_result(self):
        result = self.run_sns(
            """
            import os, sys
            child = os.fork()
            if child == 0:
                sys.exit(5)
            assert os.waitpid(child, 0)[1] >> 8 == 5
            assert not os.path.exists(%r)
            """
            % self.result_path
        )
        self.assert_succeeded(result)

    def test_threads_of_the_script_end_before_the_result_is_written(self):
        result = self.run_sns(
            """
            import os, sys, threading
            def late():
                threading.main_thread().join()
                open(os.path.join(sys.argv[2], 'late'), 'w').write(str(os.path.exists(%r)))
            threading.Thread(target=late).start()
            """
            % self.result_path
        )
        self.assert_succeeded(result)
        with open(os.path.join(self.output, "late")) as file:
            self.assertEqual(file.read(), "False")

    def test_a_missing_captured_copy_is_named(self):
        result = self.run_job("isis", "reduce.py")
        self.assert_failed(result, "contract", os.path.join(self.captured, "reduce.py"), "is missing")

    def test_a_job_that_cannot_be_read_is_no_fault_of_the_script(self):
        for content in ("{", "[]", '{"contract": "isis"}'):
            path = os.path.join(self.root, "bad.json")
            with open(path, "w") as file:
                file.write(content)
            ended = subprocess.run([sys.executable, RUNNER, path], stderr=subprocess.PIPE)
            self.assertEqual(ended.returncode, 70)
            self.assertIn(b"bad.json: not a job description", ended.stderr)


class PrintingTest(RunnerCase):
    def test_anything_can_be_printed_in_any_locale(self):
        plain = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
        result = self.run_sns(
            """
            import sys
            print('\\u00b0 \\u00c5 \\udcff')
            print('low \\udc80', file=sys.stderr)
            """,
            environment=plain,
        )
        self.assert_succeeded(result)
        self.assertEqual(self.stdout, "\u00b0 \u00c5 \\udcff\n")
        self.assertEqual(self.stderr, "low \\udc80\n")

    def test_surrogates_in_an_error_become_visible(self):
        result = self.run_sns("raise ValueError('name \\udcff')\n")
        self.assert_failed(result, "script_exception", "ValueError: name \\udcff")

    def test_bytes_and_half_characters_pass_as_they_are(self):
        self.write_script("reduce_DEMO.py", "import sys\nsys.stdout.buffer.write(b'\\xff\\xc3')\nsys.stdout.flush()\nprint(b'\\xff')\n")
        with self.assertRaises(UnicodeDecodeError):
            self.run_job("sns", "reduce_DEMO.py")
        self.assertEqual(self.ended.stdout, b"\xff\xc3b'\\xff'\n")
        self.assertTrue(os.path.exists(self.result_path))

    def test_descriptors_closed_under_the_streams_are_no_failure(self):
        for text in ("os.close(1); os.close(2)", "print('x', end=''); os.close(1)", "print('x', end=''); os.dup2(os.open('/dev/full', os.O_WRONLY), 1)"):
            for run in (self.run_sns, self.run_fia):
                with self.subTest(text, contract=run.__name__):
                    self.assert_succeeded(run("import os, sys\n%s\n" % text, environment={"PYTHONUNBUFFERED": ""}))

    def test_a_script_that_replaces_or_closes_its_streams_is_still_answered(self):
        for text in ("sys.stdout = sys.stderr = io.StringIO()", "sys.stdout.close(); sys.stderr.close()", "sys.stderr = None"):
            result = self.run_sns("import io, sys\n%s\nraise ValueError('said')\n" % text)
            self.assert_failed(result, "script_exception", "ValueError: said")

    def test_what_stands_in_the_buffer_comes_before_the_traceback(self):
        self.run_sns("import sys\nsys.stdout.write('unfinished')\nraise ValueError\n")
        self.assertEqual(self.stdout, "unfinished")


class HabitTest(RunnerCase):
    """Habits of scripts in service, each in a small script of our own."""

    def test_a_script_that_copies_the_raw_file_and_guards_its_own_main(self):
        result = self.run_isis(
            """
            import os, shutil, sys
            sys.path.append('/isis/NDXOTHER/user/scripts/autoreduction')
            import reduce_vars as web_var
            print(web_var)
            def main(input_file, output_dir):
                shutil.copy(input_file, output_dir)
            if __name__ == '__main__':
                main('test', 'test')
            """,
            reduce_vars="standard_vars = {}\nadvanced_vars = {}\n",
        )
        self.assert_succeeded(result)
        self.assertEqual(os.listdir(self.output), ["DEM00028001.nxs"])
        self.assertIn("<module 'reduce_vars'", self.stdout)

    def test_a_tab_on_a_comment_line_and_a_plot_by_string_addition(self):
        result = self.run_isis(
            b"import os\ndef main(input_file, output_dir):\n \t# mixed, but only a comment\n"
            b"    open(output_dir + 'TEST_PLOT.png', 'w')\n"
        )
        self.assert_succeeded(result)
        self.assertEqual(os.listdir(self.output), ["TEST_PLOT.png"])

    def test_keyword_names_of_an_older_contract_fail_inside_the_script(self):
        result = self.run_isis(
            "def main(*args, **kwargs):\n    kwargs['output'] or kwargs['data']\n"
        )
        self.assert_failed(result, "script_exception", "KeyError: 'output'")

    def test_a_script_that_sets_the_environment_and_assigns_into_web_var(self):
        script = """
            import os
            os.environ['MPLBACKEND'] = 'Agg'
            import reduce_vars as web_var
            def main(input_file, output_dir):
                web_var.standard_vars['grouping'] = web_var.standard_vars['grouping'] or 'north'
                if web_var.advanced_vars['event mode']:
                    raise RuntimeError('Skip: Event mode files are not reduced here')
                open(output_dir + web_var.standard_vars['grouping'], 'w')
            """
        reduce_vars = "standard_vars = {'grouping': None}\nadvanced_vars = {'event mode': False}\n"
        self.assert_succeeded(self.run_isis(script, reduce_vars=reduce_vars))
        self.assertEqual(os.listdir(self.output), ["north"])
        result = self.run_isis(script, reduce_vars=reduce_vars, variables=[variable("event mode", True, "advanced")])
        self.assertEqual(result["outcome"], "skipped")

    def test_standard_variables_only_and_a_run_number_cut_from_the_name(self):
        result = self.run_isis(
            """
            import os
            import reduce_vars as web_var
            def main(input_file, output_dir):
                number = os.path.basename(input_file)[3:-4]
                web_var.standard_vars['mode'] = web_var.standard_vars['mode'].upper()
                print(number, web_var.standard_vars['mode'], web_var.advanced_vars)
            """,
            reduce_vars="standard_vars = {'mode': 'rietveld'}\n",
        )
        self.assert_succeeded(result)
        self.assertEqual(self.stdout.strip(), "00028001 RIETVELD {}")

    def test_help_printed_at_import_and_a_success_without_output(self):
        result = self.run_isis(
            """
            import os
            print(help(os.path.join))
            def main(input_file, output_dir):
                with open(input_file, 'rb') as raw:
                    title = raw.read()
                debug = open(os.path.join(os.getcwd(), 'debug.txt'), 'w')
                debug.write('never closed')
                if not title.endswith(b'_SANS'):
                    print('not a scattering run', int(input_file[-12:-4]))
                    return
                raise AssertionError
            """
        )
        self.assert_succeeded(result)
        self.assertIn("not a scattering run 28001", self.stdout)
        self.assertEqual(os.listdir(self.output), [])

    def test_a_byte_order_mark_a_sibling_class_and_an_empty_text_returned(self):
        self.neighbour("DEMOReduction.py", "class Reduction:\n    def run(self, name): print('reducing', name)\n")
        result = self.run_isis(
            b"\xef\xbb\xbffrom DEMOReduction import Reduction\n"
            b"def main(input_file, output_dir):\n    Reduction().run(input_file)\n    return ''\n"
        )
        self.assert_succeeded(result)
        self.assertEqual(result["returned"], "")

    def test_an_empty_reduce_vars_no_web_var_and_tabs(self):
        result = self.run_isis(
            "pi = 3\ndef main(input_file, output_dir):\n\tglobal pi\n\tpi = 4\n\topen(output_dir + 'w28001-1foc.nxs', 'w')\n",
            reduce_vars="",
        )
        self.assert_succeeded(result)
        self.assertEqual(os.listdir(self.output), ["w28001-1foc.nxs"])

    def test_a_top_level_script_that_only_prints(self):
        self.assert_succeeded(self.run_sns("print('a facility script without any function')\n"))

    def test_a_script_that_swallows_its_errors_and_appends_a_line(self):
        result = self.run_sns(
            """
            import os, sys
            def field(name):
                try:
                    return open(sys.argv[1], 'rb').value[name]
                except:
                    return 'N/A'
            with open('summary.csv', 'a') as summary:
                summary.write(','.join(field(name) for name in ('title', 'charge')) + '\\n')
            os.chmod('summary.csv', 0o664)
            """
        )
        self.assert_succeeded(result)
        with open(os.path.join(self.work, "summary.csv")) as file:
            self.assertEqual(file.read(), "N/A,N/A\n")

    def test_exit_zero_on_a_missing_file(self):
        result = self.run_sns(
            "import os, sys\nif not os.path.isfile(sys.argv[1]):\n    print('no file'); sys.exit()\n",
            input_files=["/no/such/file.nxs.h5"],
        )
        self.assert_succeeded(result)
        self.assertIn("exit status 0", result["message"])

    def test_a_script_that_copies_itself_into_the_output_and_runs_the_copy(self):
        result = self.run_sns(
            """
            import os, shutil, subprocess, sys
            copy = os.path.join(sys.argv[2], 'reduce_DEMO_2026-01-01_12:00.py')
            if len(sys.argv) == 3:
                shutil.copyfile(__file__, copy)
                subprocess.check_call('%s %s %s %s again' % (sys.executable, copy, sys.argv[1], sys.argv[2]), shell=True)
            else:
                open(sys.argv[2] + 'ran', 'w')
            """
        )
        self.assert_succeeded(result)
        self.assertEqual(sorted(os.listdir(self.output)), ["ran", "reduce_DEMO_2026-01-01_12:00.py"])

    def test_a_child_script_that_fails_unnoticed(self):
        self.neighbour("child.py", "import os\nos.chmod('x', 0775)\n")
        result = self.run_sns(
            """
            import os, sys
            if len(sys.argv) != 3:
                logger.error('wrong number of arguments')
            os.system('%s %s' % (sys.executable, os.path.join(os.path.dirname(__file__), 'child.py')))
            """
        )
        self.assert_succeeded(result)
        self.assertIn("SyntaxError", self.stderr)

    def test_a_reduce_function_in_place_of_main_is_named(self):
        result = self.run_isis("def reduce(input_file, output_dir): pass\n")
        self.assert_failed(result, "contract", "no main", "It has a reduce()")

    def test_a_script_that_changes_folder_and_prints_without_a_line_end(self):
        self.assert_succeeded(self.run_sns("import os\nos.chdir('/')\nprint('50 %', end='\\r')\n"))


if __name__ == "__main__":
    unittest.main()
