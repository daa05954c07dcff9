"""The habits of scripts in service, each as a small script below habits/, and what becomes of it.

The number of a folder is that of its kind of script. A folder is captured whole; a job is made of it as workerd makes one.
"""

import os
import unittest

from runner_case import RunnerCase, variable, write_file

HABITS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "habits")


class Habit:
    """What is expected of one folder. `written`: the output directory afterwards; None = not looked at."""

    def __init__(self, folder, contract, outcome="succeeded", kind=None, message="", written=(), declared=(), script=None,
                 raw="DEM00028001.nxs", variables=(), remarks=(), touched=(), printed="", returned=None, **job):
        self.folder, self.contract, self.outcome, self.kind, self.message = folder, contract, outcome, kind, message
        self.written, self.declared, self.remarks, self.touched = list(written), list(declared), list(remarks), list(touched)
        self.script = script or ("reduce_DEMO.py" if contract == "sns" else "reduce.py")
        self.raw, self.variables, self.printed, self.returned, self.job = raw, list(variables), printed, returned, job


def isis(folder, *arguments, **expected):
    return Habit(folder, "isis", *arguments, **expected)


def sns(folder, *arguments, **expected):
    return Habit(folder, "sns", *arguments, **expected)


def fia(folder, *arguments, **expected):
    """The text as run is beside whatever the script wrote."""
    expected["written"] = sorted(list(expected.get("written", ())) + ["reduction_log/reduce.py"])
    return Habit(folder, "fia", *arguments, **expected)


RAW = "DEM00028001.nxs"
TABLE = [
    isis("01_copies_the_raw_file", written=[RAW], printed="<module 'reduce_vars'"),
    isis("02_plots_beside_the_copy", written=[RAW, "TEST_PLOT.png"], printed="backend Agg"),
    isis("03_python_2", "failed", "script_syntax", "reduce.py, line 6: SyntaxError"),
    isis("03_python_2_in_a_sibling", "failed", "script_syntax", "helpers.py, line 5: SyntaxError"),
    isis("04_sets_the_environment_and_skips", written=["focused_None.nxs"]),
    isis("04_sets_the_environment_and_skips", written=["focused_236516.nxs"], variables=[variable("vanadium_run", "236516")]),
    isis("04_sets_the_environment_and_skips", "skipped", None, "Skip: Event mode", variables=[variable("event_mode", True, "advanced")]),
    isis("05_changes_its_variables", written=["GEM00028001-Rietveld.gss"], printed="{}"),
    isis("06_number_by_position", raw="POLARIS00012345.nxs", written=["POL12345.nxs"]),
    isis("07_demo_body_with_tabs", written=[RAW, "plot.png"]),
    isis("08_reads_what_other_runs_made", written=["plot-26_1.json"], returned="{output}/"),
    isis("09_success_without_output", printed="not a scattering run 28001"),
    isis("09_none_is_not_its_text", "failed", "script_exception", "TypeError: int() argument"),
    isis("09_none_is_not_its_text", written=["reduced.h5"], variables=[variable("SampleTRANS", "None")]),
    isis("10_fetches_code_at_import", written=["MAR28001.nxspe"], declared=["MAR28001.nxspe"], returned=["MAR28001.nxspe"],
         touched=["{shared}/repo/iliad_fetched.py"]),
    isis("11_paths_and_an_empty_text", written=["DEM00028001.nxspe"], printed="DEM00028001.raw /usr/share/maps/a.map None", returned="",
         variables=[variable("map_file", "a.map", "advanced")]),
    isis("12_byte_order_mark_and_a_class", written=["LET28001_3.7meV.nxspe", "LET28001_5.0meV.nxspe"], returned=""),
    isis("13_no_web_var_and_string_addition", written=["w28001-1foc.nxs", "w28001-2foc.nxs"], printed="[0.0, 0.0]"),
    fia("14_top_level_and_no_output", printed="stands in"),
    fia("14_not_implemented", "failed", "script_exception", "Exception: script not implemented"),
    fia("15_output_is_a_directory_difference", written=["MAR28001_180meV.nxspe", "MAR28001_29.8meV.nxspe"],
        declared=["MAR28001_180meV.nxspe", "MAR28001_29.8meV.nxspe"]),
    fia("15_output_is_a_directory_difference", written=["MAR28001_12meV.nxspe"], declared=["MAR28001_12meV.nxspe"],
        variables=[variable("ei", [12]), variable("wbvan", 1)]),
    fia("16_title_in_the_file_name", written=["TSC28001-Polyethylene 5K-autoreduced.nxs"],
        declared=["TSC28001-Polyethylene 5K-autoreduced.nxs"]),
    fia("16_title_in_the_file_name", "failed", "script_exception", "FileNotFoundError", variables=[variable("title", "H2O/D2O")]),
    fia("17_names_without_extension", declared=["run-28001/28001_main_1D.h5", "run-28001/28001_hab_1D.h5"],
        written=["run-28001/28001_hab_1D.h5", "run-28001/28001_main_1D.h5", "run-28001/batch.csv"],
        remarks=["not made: run-28001/28001_merged_1D", "not made: 28001_reduced.nxs"]),
    fia("18_tree_from_a_sibling", written=["transmission/foil-out/dat/28001.dat", "transmission/foil-out/txt/28001.txt"],
        declared=["transmission/foil-out/dat/28001.dat", "transmission/foil-out/txt/28001.txt"]),
    fia("19_base_names_of_new_files", written=["focused/north/ENGINX_1_bank.nxs", "focused/south/ENGINX_1_bank.nxs", "user/kept.dat"],
        declared=["focused/north/ENGINX_1_bank.nxs", "focused/south/ENGINX_1_bank.nxs"]),
    fia("20_many_files_and_a_degree_sign", written=["run-28001/image_%06d.tif" % index for index in range(200)],
        declared=["run-28001/image_%06d.tif" % index for index in range(200)], printed="step 0.5°"),
    fia("21_commas_in_the_name", written=["IRIS28001_graphite002_1.85.red.nxs"], declared=["IRIS28001_graphite002_1.85.red.nxs"]),
    fia("22_one_word", "failed", "script_exception", "NameError: name 'Reverted'"),
    sns("23_writes_into_the_current_directory", written=["DEMO_28001.nxs", "div.txt"]),
    sns("24_a_summary_that_every_run_adds_to", written=["DEMO_IPTS-7_runsummary.csv", "reduced.nxs"], experiment="IPTS-7"),
    sns("25_publishes_and_writes_nothing", printed="a plot of all counts"),
    sns("26_looks_in_the_current_directory", script="reduce_REF_L.py", raw="REF_L_198399.nxs.h5",
        written=["REFL_198399_combined_data_auto.txt"], printed="no template"),
    sns("26_looks_in_the_current_directory", "failed", "script_exception", "IndexError", script="reduce_REF_L.py", printed=""),
    sns("27_json_in_its_docstring", script="reduce_REF_M.py", written=["reflectivity.json"]),
    sns("28_a_summary_shared_by_all_runs", written=["PG3_28001." + ending for ending in ("dat", "fxye", "gsa", "nxs")],
        touched=["{shared}/DEMO_runsummary.csv"]),
    sns("29_a_third_argument_and_the_proposal", written=["NOM_28001." + ending for ending in ("getn", "gr", "html", "json")],
        touched=["{shared}/exp.ini"]),
    sns("30_writes_and_then_raises", "failed", "script_exception", "ValueError: Warning: the sample temperature",
        written=["ARCS_28001.nxspe", "experiment_log.csv"]),
    sns("30_template", script="reduce_DEMO.py.template", written=["reduction_log/reduce_DEMO.py", "values.txt"],
        variables=[variable("mask", "m.xml"), variable("grid", [0.5, 1]), variable("clean", False)]),
    sns("30_template", "failed", "contract", "reduce_DEMO.py.template, line 5: ${grid}: no value is set for it (and 1 places more)",
        script="reduce_DEMO.py.template", variables=[variable("mask", "m.xml")]),
    sns("30_template", "failed", "script_syntax", "reduce_DEMO.py.template, line 6: SyntaxError", script="reduce_DEMO.py.template",
        variables=[variable("mask", "m.xml"), variable("grid", 1), variable("clean", "if")], written=["reduction_log/reduce_DEMO.py"]),
    sns("31_archives_itself", written=["archive/reduce_DEMO.py", "config.ini"]),
    sns("32_runs_a_copy_of_itself_by_the_shell", written=["child_was_here", "reduce_DEMO_2026-01-01_12:00.py"]),
    sns("32_runs_a_copy_of_itself_by_the_shell", message="exit status 0", printed="data file not found", raw="gone/absent.nxs"),
    sns("33_python_2_launcher", "failed", "script_syntax", "reduce_DEMO.py, line 3: SyntaxError"),
    sns("33_launcher_beside_itself", written=["staging/launched.txt"]),
    sns("34_other_arguments", printed="-i <inputfile> -o <outputdir>"),
    sns("34_sibling_trees", printed="reduction succeeded",
        touched=["{shared}/AutoRecord.txt", "{shared}/binned_data/28001.txt", "{shared}/logs/28001.txt", "{shared}/stale.txt"]),
    sns("35_does_nothing", printed="tolerance 0.12"),
    sns("35_octal_in_a_child"),
    sns("36_a_link_read_as_text", "failed", "script_syntax", "reduce_DEMO.py, line 1: SyntaxError"),
    sns("37_prints_and_raises", "failed", "script_exception", "RuntimeError: This is an ERROR!", printed="half way"),
    isis("38_no_main_but_reduce", "failed", "contract", "It has a reduce(), which this contract does not call"),
    sns("38_no_main_but_reduce", script="reduce.py", written=["load-successful.nxs"]),
]


class HabitsTest(RunnerCase):
    def test_every_habit_ends_as_stated(self):
        for habit in TABLE:
            with self.subTest(habit.folder, contract=habit.contract, outcome=habit.outcome, message=habit.message):
                self.setUp()
                self.check(habit)

    def test_every_folder_is_in_the_table(self):
        self.assertEqual(sorted({habit.folder for habit in TABLE}), sorted(os.listdir(HABITS)))

    def check(self, habit):
        shared = self.folder("archive/shared")
        write_file(os.path.join(shared, "stale.txt"), "old")
        write_file(os.path.join(shared, "RB1234/autoreduced/100/run-version-9/TRANS100.nxs"), "older")
        write_file(os.path.join(shared, "RB1234/autoreduced/100/run-version-10/TRANS100.nxs"), "newest")
        environment = {"HABIT_SHARED": shared, "HOME": self.folder("scratch/home"), "TMPDIR": self.folder("scratch/tmp")}
        siblings = self.capture_folder(os.path.join(HABITS, habit.folder))
        siblings.pop(habit.script)
        raw = os.path.join(os.path.dirname(self.raw), habit.raw)
        if os.path.isdir(os.path.dirname(raw)):
            os.rename(self.raw, raw)
        if habit.contract == "sns":
            self.work = self.output
        job = dict({"instrument": "DEMO", "experiment": "1234", "run_number": 28001}, **habit.job)
        result = self.run_job(habit.contract, habit.script, siblings=siblings, environment=environment, input_files=[raw],
                              variables=habit.variables, **job)
        self.assertIsNotNone(result, self.stderr)
        self.assertEqual((result["outcome"], result["kind"]), (habit.outcome, habit.kind), result)
        self.assertIn(habit.message, result["message"])
        self.assertEqual(self.ended.returncode == 0, habit.outcome != "failed")
        if habit.outcome != "skipped":
            self.assertEqual(self.written(), habit.written)
        self.assertCountEqual(result["declared"], habit.declared)  # a set of names has no order
        self.assertEqual(result["extra_directories"], [])
        returned = habit.returned.format(output=self.output) if isinstance(habit.returned, str) else habit.returned
        self.assertEqual(result["returned"], returned)
        self.assertIn(habit.printed, self.stdout)
        self.assertEqual([remark for remark in result["remarks"] if not any(expected in remark for expected in habit.remarks)], [])
        self.assertEqual(len(result["remarks"]), len(habit.remarks), result["remarks"])
        self.assertEqual(sorted(file["path"] for file in result["touched"]), [path.format(shared=shared) for path in habit.touched])

    def test_a_summary_that_cannot_be_added_to_is_a_remark(self):
        folder = os.path.join(HABITS, "24_a_summary_that_every_run_adds_to")
        siblings = self.capture_folder(folder)
        siblings.pop("reduce_DEMO.py")
        write_file(os.path.join(self.output, "DEMO_IPTS-7_runsummary.csv"), "DEMO,N/A,N/A\n")
        result = self.run_job("sns", "reduce_DEMO.py", siblings=siblings, instrument="DEMO", experiment="IPTS-7")
        self.assert_succeeded(result)
        self.assertEqual(result["remarks"], ["sumRun_DEMO.py ended with status 1; the reduction went on without it"])
        self.assertIn("ValueError: invalid literal for int() with base 10: 'N/A'", self.stdout)
        self.assertEqual(self.stderr, "")

    def test_the_values_of_a_template_arrive_as_python_writes_them(self):
        siblings = self.capture_folder(os.path.join(HABITS, "30_template"))
        siblings.pop("reduce_DEMO.py.template")
        self.assertEqual(
            [(entry["name"], entry.get("value")) for entry in self.read_defaults("sns", "reduce_DEMO.py.template")["variables"]],
            [("mask", "default.xml"), ("grid", [0.0, 0.1]), ("clean", True)],
        )
        values = [variable("mask", "m.xml"), variable("grid", [0.5, None, "a"]), variable("clean", False)]
        self.assert_succeeded(self.run_job("sns", "reduce_DEMO.py.template", siblings=siblings, variables=values))
        self.assertEqual(self.read_output("values.txt"), r"('m.xml', [0.5, None, 'a'], False, '^\\d+$')")
        self.assertIn("Filled by a form; $ is a plain dollar.", self.read_output("reduction_log/reduce_DEMO.py"))


if __name__ == "__main__":
    unittest.main()
