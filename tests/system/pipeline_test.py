"""A finished run is reduced, and anyone can see how: the whole system, on real processes."""

import hashlib
import unittest

from site_under_test import COPY_SCRIPT, PYTHON, SiteUnderTest, make_run

SCALE_SCRIPT = """
import h5py, os
import reduce_vars as web_var

def main(input_file, output_dir):
    scale = web_var.standard_vars["scale"]
    with h5py.File(input_file, "r") as file:
        total = int(file["raw_data_1/detector_1/counts"][...].sum())
    with open(output_dir + "sum.txt", "w") as out:
        out.write(str(total * scale))
"""
SCALE_VARIABLES = """
standard_vars = {"scale": 1, "mask file": "a.xml"}
advanced_vars = {"background": None}
variable_help = {"standard_vars": {"scale": "factor"}, "advanced_vars": {}}
"""


class PipelineTest(unittest.TestCase):
    def setUp(self):
        self.site = SiteUnderTest()
        self.addCleanup(self.site.close)

    def test_dropped_run_is_reduced_and_traced_to_its_bytes(self):
        raw = self.site.instrument("MARI", SCALE_SCRIPT, variables=SCALE_VARIABLES)
        up = self.site.start()
        path = make_run(raw / "MAR28001.nxs", 28001, counts=(1, 2, 3))
        run = self.site.wait_for_states({("MARI", 28001): "succeeded"})[("MARI", 28001)]
        output = self.site.folder / "output/MARI/2010001/28001/run-version-1"
        self.assertEqual((output / "sum.txt").read_text(), "6")
        self.assertEqual(run["experiment"], "2010001")
        self.assertEqual(run["raw_files"][0]["sha256"], hashlib.sha256(path.read_bytes()).hexdigest())
        trace = self.site.json("trace", "MARI/28001/v1")
        self.assertEqual(trace["script"]["sha256"], hashlib.sha256(self.site.script_path("MARI").read_bytes()).hexdigest())
        self.assertEqual({v["name"]: v["value"] for v in trace["variables"]}, {"scale": 1, "mask file": "a.xml", "background": None})
        printed = output / "reduction_log/RB_2010001_Run_28001_Script.out"
        self.assertEqual([o["path"] for o in trace["outputs"]], [str(printed), str(output / "sum.txt")])
        self.assertEqual(trace["outputs"][1]["sha256"], hashlib.sha256(b"6").hexdigest())
        self.assertEqual(trace["events"], sorted(trace["events"]))
        self.assertEqual(self.site.stop(up), 0)

    def test_variables_set_ahead_are_used_and_say_who_set_them(self):
        raw = self.site.instrument("MARI", SCALE_SCRIPT, variables=SCALE_VARIABLES)
        self.site.start()
        make_run(raw / "MAR00001.nxs", 1)
        self.site.wait_for_states({("MARI", 1): "succeeded"})
        self.site.run("vars", "set", "MARI", "scale=10", "--from-run", "2")
        self.site.run("vars", "set", "MARI", "scale=100", "--experiment", "2010777")
        self.assertEqual(self.site.run("vars", "set", "MARI", "scael=3", "--default", check=False).returncode, 2)
        self.assertEqual(self.site.run("vars", "set", "MARI", 'scale="x"', "--default", check=False).returncode, 2)
        make_run(raw / "MAR00002.nxs", 2)
        make_run(raw / "MAR00003.nxs", 3, experiment="2010777")
        self.site.wait_for_states({("MARI", 2): "succeeded", ("MARI", 3): "succeeded"})

        def scale(run):
            variable = [v for v in self.site.json("trace", run)["variables"] if v["name"] == "scale"][0]
            return variable["value"], variable["rule"]

        self.assertEqual(scale("MARI/1/v1"), (1, "script_default"))
        self.assertEqual(scale("MARI/2/v1"), (10, "from_run"))
        self.assertEqual(scale("MARI/3/v1"), (100, "experiment"))
        self.assertEqual((self.site.folder / "output/MARI/2010777/3/run-version-1/sum.txt").read_text(), "600")
        self.assertNotEqual([v for v in self.site.json("trace", "MARI/2/v1")["variables"] if v["name"] == "scale"][0]["set_by"], None)

    def test_hint_for_a_variable_the_script_lacks_can_be_followed(self):
        # The hint was to write standard.NAME=VALUE, which the ledger then refused.
        raw = self.site.instrument("MARI", SCALE_SCRIPT, variables=SCALE_VARIABLES)
        self.site.start()
        make_run(raw / "MAR00001.nxs", 1)
        self.site.wait_for_states({("MARI", 1): "succeeded"})
        refused = self.site.run("vars", "set", "MARI", "offset=3", "--default", check=False)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("a new one goes into reduce_vars.py first", refused.stderr)
        self.assertIn("runledger rerun RUN --script current", refused.stderr)
        self.assertNotIn("standard.offset", refused.stderr)
        self.site.write_script("MARI", SCALE_SCRIPT, variables=SCALE_VARIABLES.replace('"scale": 1', '"scale": 1, "offset": 0'))
        self.site.run("rerun", "MARI", "1", "--script", "current", "--wait")
        self.site.run("vars", "set", "MARI", "offset=3", "--default")
        self.assertEqual({v["name"]: v["value"] for v in self.site.json("vars", "show", "MARI", "2")["variables"]}["offset"], 3)

    def test_run_waits_for_a_broken_reduce_vars_and_gets_its_values_when_that_is_mended(self):
        # Symptom: it was reduced with the script's own values, and what people had set was dropped without a word.
        raw = self.site.instrument("MARI", SCALE_SCRIPT, variables="standard_vars = {'scale': 1\n")
        self.site.start()
        make_run(raw / "MAR00001.nxs", 1)
        run = self.site.wait_for_states({("MARI", 1): "skipped"})[("MARI", 1)]
        self.assertEqual(run["reason_code"], "variables_unknown")
        self.assertIn("reduce_vars.py, line 1: SyntaxError", run["reason"])
        shown = self.site.run("vars", "show", "MARI", check=False)
        self.assertEqual((shown.returncode, shown.stdout), (1, ""))
        self.assertIn("SyntaxError", shown.stderr)
        refused = self.site.run("vars", "show", "MARI", "1", check=False)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("SyntaxError", refused.stderr)
        refused = self.site.run("vars", "set", "MARI", "scael=10", "--default", check=False)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("SyntaxError", refused.stderr)

        self.site.write_script("MARI", SCALE_SCRIPT, variables=SCALE_VARIABLES)
        self.site.run("rerun", "MARI", "1", "--script", "current", "--wait")
        self.site.run("vars", "set", "MARI", "scale=10", "--default")
        self.site.write_script("MARI", SCALE_SCRIPT, variables="raise ValueError('no')\n")
        make_run(raw / "MAR00002.nxs", 2)
        self.site.wait_for_states({("MARI", 1): "succeeded", ("MARI", 2): "skipped"})
        shown = self.site.run("vars", "show", "MARI")
        self.assertIn("scale", shown.stdout)
        self.assertIn("ValueError: no", shown.stderr)
        self.site.write_script("MARI", SCALE_SCRIPT, variables=SCALE_VARIABLES)
        make_run(raw / "MAR00003.nxs", 3)
        self.site.run("rerun", "MARI", "2", "--script", "current", "--wait")
        self.site.wait_for_states({("MARI", 2): "succeeded", ("MARI", 3): "succeeded"})
        folder = self.site.folder / "output/MARI/2010001"
        self.assertEqual([(folder / f"{run}/run-version-1/sum.txt").read_text() for run in (1, 2, 3)], ["6", "60", "60"])

    def test_value_whose_variable_is_gone_from_the_script_is_named_with_the_version(self):
        # Symptom: it was dropped without a word.
        with_offset = SCALE_VARIABLES.replace('"scale": 1', '"scale": 1, "offset": 0')
        raw = self.site.instrument("MARI", SCALE_SCRIPT, variables=with_offset)
        self.site.start()
        make_run(raw / "MAR00001.nxs", 1)
        self.site.wait_for_states({("MARI", 1): "succeeded"})
        self.site.run("vars", "set", "MARI", "offset=3", "--from-run", "2")
        self.site.write_script("MARI", SCALE_SCRIPT, variables=SCALE_VARIABLES)
        make_run(raw / "MAR00002.nxs", 2)
        self.site.wait_for_states({("MARI", 2): "succeeded"})
        words = "set but not used, as its script has no such variable: offset"
        for command in ("show", "trace", "explain"):
            self.assertIn(words, self.site.run(command, "MARI", "2").stdout, command)
        self.assertIn(words, self.site.json("trace", "MARI/2/v1")["queued_because"])

    def test_rerun_makes_a_new_version_and_leaves_the_old_one(self):
        raw = self.site.instrument("MARI", SCALE_SCRIPT, variables=SCALE_VARIABLES)
        self.site.start()
        make_run(raw / "MAR00001.nxs", 1)
        self.site.wait_for_states({("MARI", 1): "succeeded"})
        self.site.write_script("MARI", SCALE_SCRIPT.replace("total * scale", "-total * scale"))
        again = self.site.json("rerun", "MARI", "1", "--set", "scale=5", "--wait")
        ended = [(v["instrument"], v["run_number"], v["version"], v["state"]) for v in again]
        self.assertEqual(ended, [("MARI", 1, 2, "succeeded")])
        self.assertEqual(again[0]["job"], self.site.runs()[("MARI", 1)]["job"])
        self.assertIn("attempt 1 succeeded", again[0]["reason"])
        self.site.run("rerun", "MARI/1", "--script", "current", "--wait")
        folder = self.site.folder / "output/MARI/2010001/1"
        self.assertEqual([(folder / f"run-version-{n}/sum.txt").read_text() for n in (1, 2, 3)], ["6", "30", "-30"])
        show = self.site.json("show", "MARI", "1")
        self.assertEqual([v["version"] for v in show["versions"]], [1, 2, 3])
        self.assertIn("-    ", self.site.run("script", "diff", "MARI/1/v1", "MARI/1/v3").stdout)

    def test_paused_instrument_holds_its_runs_and_resume_releases_them(self):
        raw = self.site.instrument("MARI", COPY_SCRIPT)
        self.site.start()
        self.site.run("pause", "MARI", "--comment", "detector work")
        for number in (1, 2, 3):
            make_run(raw / f"MAR0000{number}.nxs", number)
        held = self.site.wait_for_states({("MARI", n): "held" for n in (1, 2, 3)})
        self.assertIn("paused", held[("MARI", 1)]["reason"])
        self.site.run("resume", "MARI")
        self.site.wait_for_states({("MARI", n): "succeeded" for n in (1, 2, 3)})
        self.assertIn("detector work", self.site.run("explain", "MARI", "1").stdout)

    def test_rewritten_file_is_a_new_version_and_a_twin_is_a_problem(self):
        raw = self.site.instrument("MARI", COPY_SCRIPT)
        self.site.start()
        make_run(raw / "MAR00001.nxs", 1, title="first")
        first = self.site.wait_for_states({("MARI", 1): "succeeded"})[("MARI", 1)]
        make_run(raw / "MAR00001.nxs", 1, title="saved again")
        self.site.wait_for(lambda: self.site.runs()[("MARI", 1)]["version"] == 2 and self.site.runs()[("MARI", 1)]["state"] == "succeeded", "v2")
        second = self.site.runs()[("MARI", 1)]
        self.assertEqual(second["title"], "saved again")
        self.assertNotEqual(first["raw_files"], second["raw_files"])
        (raw / "cycle_26_1").mkdir()
        make_run(raw / "cycle_26_1" / "MAR00001.nxs", 1, title="another")
        run = self.site.wait_for(lambda: [r for r in [self.site.runs()[("MARI", 1)]] if r["problems"]], "a problem")[0]
        self.assertIn("cycle_26_1", " ".join(run["problems"]))
        self.assertEqual((run["version"], run["title"]), (2, "saved again"))

    def test_sns_script_runs_with_file_and_folder_as_arguments(self):
        script = "import sys\nassert sys.argv[2].endswith('/')\nopen(sys.argv[2] + 'seen.txt', 'w').write(sys.argv[1])\n"
        raw = self.site.instrument("EQSANS", script, contract="sns")
        self.site.start()
        make_run(raw / "EQSANS_1466.nxs.h5", 1466, entry="entry", experiment="IPTS-8011")
        self.site.wait_for_states({("EQSANS", 1466): "succeeded"})
        seen = self.site.folder / "output/EQSANS/IPTS-8011/1466/run-version-1/seen.txt"
        self.assertEqual(seen.read_text(), str(raw / "EQSANS_1466.nxs.h5"))

    def test_daemons_run_apart_and_outlive_a_restart_of_ledgerd(self):
        raw = self.site.instrument("MARI", COPY_SCRIPT)
        ledgerd = self.site.start("ledgerd")
        for program in ("monitord", "coordinatord", "workerd"):
            self.site.start(program)
        make_run(raw / "MAR00001.nxs", 1)
        self.site.wait_for_states({("MARI", 1): "succeeded"})
        self.assertEqual(self.site.stop(ledgerd), 0)
        make_run(raw / "MAR00002.nxs", 2)
        self.site.start("ledgerd")
        self.site.wait_for_states({("MARI", 1): "succeeded", ("MARI", 2): "succeeded"})

    def test_instrument_taken_out_of_the_site_is_left_alone_until_it_comes_back(self):
        # Symptom: its folders went on being watched, and its runs being reduced.
        let = self.site.instrument("LET", COPY_SCRIPT)
        let_table = self.site.tables[-1]
        mari = self.site.instrument("MARI", COPY_SCRIPT)
        up = self.site.start()
        make_run(let / "LET00001.nxs", 1)
        self.site.wait_for_states({("LET", 1): "succeeded"})
        self.site.stop(up)

        self.site.tables.remove(let_table)
        up = self.site.start()
        make_run(let / "LET00002.nxs", 2)
        make_run(mari / "MAR00001.nxs", 1)
        runs = self.site.wait_for_states({("MARI", 1): "succeeded"})
        self.assertNotIn(("LET", 2), runs)
        self.assertEqual(runs[("LET", 1)]["state"], "succeeded")
        self.assertEqual([i["name"] for i in self.site.json("status")["instruments"]], ["MARI"])
        self.assertEqual(self.site.json("trace", "LET/1/v1")["state"], "succeeded")
        self.site.run("rerun", "LET", "1", "--wait")
        self.site.stop(up)

        self.site.tables.append(let_table)
        self.site.start()
        self.site.wait_for_states({("LET", 2): "succeeded"})
        self.assertEqual([i["name"] for i in self.site.json("status")["instruments"]], ["LET", "MARI"])

    def test_runs_finished_while_down_are_found_at_start(self):
        raw = self.site.instrument("MARI", COPY_SCRIPT)
        up = self.site.start()
        make_run(raw / "MAR00001.nxs", 1)
        self.site.wait_for_states({("MARI", 1): "succeeded"})
        self.site.stop(up)
        (raw / "cycle_26_2").mkdir()
        make_run(raw / "cycle_26_2" / "MAR00002.nxs", 2)
        self.site.start()
        runs = self.site.wait_for_states({("MARI", 2): "succeeded"})
        self.assertEqual(runs[("MARI", 1)]["version"], 1)


if __name__ == "__main__":
    unittest.main()
