"""The JSON of what is done with many runs, beside versions and with scripts, as the real command prints it."""

import unittest

from json_test import ANY, REASON, SHA256, SHOW, STATE, TIME, VERSION, FormTest, OrNull, Text
from site_under_test import SiteUnderTest, make_run

SCRIPT = """
import os
import reduce_vars

def main(input_file, output_dir):
    print("scale", reduce_vars.standard_vars["scale"])
    with open(os.path.join(output_dir, "a.txt"), "w") as out:
        out.write(str(reduce_vars.standard_vars["scale"]))
"""
SUM = """
import os

def main(input_file, output_dir):
    with open(os.path.join(output_dir, "sum.txt"), "w") as out:
        out.write(str(input_file))
"""
VARIABLES = "standard_vars = {'scale': 1, 'mask': ''}\n"

CAMPAIGN = {
    "campaign": int, "purpose": str, "kind": Text("reprocess|replay"), "state": Text("running|paused|stopped|finished"), "owner": str, "selection": str,
    "runs": int, "instruments": [str], "script": Text("stored|current"), "variables": [{"name": str, "group": str, "value": ANY}], "fresh_variables": bool,
    "interpreter": OrNull(str), "started_at": TIME, "finished_at": OrNull(TIME), **REASON,
    "counts": {name: int for name in ("not_queued", "waiting", "running", "succeeded", "failed", "skipped", "cancelled", "passed")},
    "estimate_ms": OrNull(int), "worked_ms": int, "left_ms": OrNull(int),
}
PLAN = {
    "selection": str, "run_count": int, "passed_count": int, "considered": int, "estimate_ms": int, "unknown_durations": int, "workers": int,
    "runs": [{"instrument": str, "run_number": int, "version": OrNull(int), "last_ms": OrNull(int)}],
    "passed": [{"instrument": str, "run_number": int, "reason": str, "reason_code": str}], "problems": [str],
}
CAMPAIGN_RUN = {"instrument": str, "run_number": int, "version": OrNull(int), "job": OrNull(int), "state": STATE, **REASON}
OUTCOMES = ("same", "differs", "only_after", "failed", "unfinished")
REPORT = {
    "campaign": int, "summary": {name: int for name in OUTCOMES},
    "runs": [{"instrument": str, "run_number": int, "before": OrNull(int), "after": OrNull(int), "outcome": Text("|".join(OUTCOMES)), "equal": int, "changed": int,
              "added": int, "missing": int, "bytes_before": int, "bytes_after": int, "paths": [Text("[~+-] .+")]}],
}
STALE = {
    "instrument": str, "run_number": int, "version": int, "job": int,
    "why": [{"kind": Text("script|script_file|variable|support_file"), "name": OrNull(str), "was": ANY, "now": ANY, "event": OrNull(int), "since": OrNull(TIME),
             "by": OrNull(str)}],
}
STAGE = {
    "instrument": str, "name": str, "after": [str], "over": Text("run|experiment|runs"), "script": str, "contract": str, "interpreter": OrNull(str), "inputs": [str],
    "output": str, "time_limit_ms": OrNull(int), "memory_limit_bytes": OrNull(int), "from_site": bool, "set_by": str, "set_at": TIME, "set_event": int,
}
STAGE_RESULT = {
    "instrument": str, "stage": str, "over": str, "runs": [int], "experiment": OrNull(str), "state": STATE, "version": OrNull(int), "job": OrNull(int),
    "result_job": OrNull(int), "waiting_request": OrNull(int), **REASON,
}
SCRIPT_HISTORY = {
    "instrument": str, "event": int, "registered_at": TIME, "contract": str, "path": str, "sha256": SHA256, "siblings": [{"name": str, "sha256": SHA256}],
    "problem": OrNull(str), "runs": int, "first_run": OrNull(int), "last_run": OrNull(int),
}


class ReducingJsonTest(FormTest):
    @classmethod
    def setUpClass(cls):
        cls.site = SiteUnderTest()
        cls.addClassCleanup(cls.site.close)
        raw = cls.site.instrument("MARI", SCRIPT, variables=VARIABLES)
        cls.site.start()
        for run in (1, 2, 3):
            make_run(raw / f"MAR0000{run}.nxs", run)
        cls.site.wait_for_states({("MARI", run): "succeeded" for run in (1, 2, 3)})
        cls.sum = cls.site.folder / "sum.py"
        cls.sum.write_text(SUM)

    def test_a_correction_from_the_first_doubt_to_the_report(self):
        self.site.run("stale", check=False)
        self.site.run("vars", "set", "MARI", "scale=2", "--default")
        stale = self.site.json("stale", "MARI")
        self.check(stale, [STALE], "stale")
        self.assertEqual([(result["run_number"], result["why"][0]["name"]) for result in stale], [(run, "scale") for run in (1, 2, 3)])
        plan = self.site.json("campaign", "plan", "MARI", "--stale", "--fresh-variables")
        self.check(plan, PLAN, "plan")
        self.assertEqual((plan["run_count"], plan["problems"]), (3, []))
        ended = self.site.json("campaign", "start", "MARI", "--stale", "--fresh-variables", "--purpose", "scale was wrong", "--yes", "--wait")
        self.check(ended, CAMPAIGN, "start --wait")
        self.assertEqual((ended["state"], ended["counts"]["succeeded"]), ("finished", 3))
        number = ended["campaign"]
        self.check(self.site.json("campaign", "list"), [CAMPAIGN], "list")
        self.check(self.site.json("campaign", "show", number), CAMPAIGN, "show")
        self.check(self.site.json("campaign", "runs", number), [CAMPAIGN_RUN], "runs")
        report = self.site.json("campaign", "report", number)
        self.check(report, REPORT, "report")
        self.assertEqual(report["summary"]["differs"], 3)
        shown = self.site.json("show", "MARI", 1)
        self.check(shown, SHOW, "show")
        self.assertEqual([(v["version"], v["superseded_by"], v["campaign"]) for v in shown["versions"]], [(1, 2, None), (2, None, number)])
        self.assertEqual(self.site.run("stale", check=False).returncode, 1)
        self.assertEqual({run["run_number"] for run in self.site.json("runs", "--variable", "scale=2")}, {1, 2, 3})
        history = self.site.json("script", "history", "MARI")
        self.check(history, [SCRIPT_HISTORY], "script history")
        self.assertEqual(history[-1]["runs"], 3)

    def test_stages_and_trials(self):
        self.site.run("stage", "set", "MARI", "sum", "--after", "reduction", "--over", "runs", "--script", self.sum, "--output",
                      self.site.folder / "sums/{run}-v{version}")
        self.check(self.site.json("stage", "list"), [STAGE], "stage list")
        combined = self.site.json("combine", "MARI", "1-2", "--stage", "sum", "--wait")
        self.check(combined, STAGE_RESULT, "combine")
        self.assertEqual((combined["runs"], combined["state"]), ([1, 2], "succeeded"))
        self.check(self.site.json("stage", "results", "MARI"), [STAGE_RESULT], "stage results")

        tried = self.site.folder / "mine" / "reduce.py"
        tried.parent.mkdir()
        tried.write_text(SCRIPT.replace('"scale"', '"tried", "scale"', 1).replace("import os", "import os, helper"))
        (tried.parent / "helper.py").write_text("")
        (tried.parent / "reduce_vars.py").write_text(VARIABLES)
        trial = self.site.json("try", "MARI", 1, "--script", tried, "--set", "scale=7", "--output", self.site.folder / "copied")
        self.check(trial, {**VERSION, "version": OrNull(int), "instrument": str, "run_number": int, "log": str, "copied_to": OrNull(str)}, "try")
        self.assertIn("tried scale 7", trial["log"])
        self.assertEqual((self.site.folder / "copied/a.txt").read_text(), "7")
        shown = self.site.json("show", "MARI", 1)
        self.check(shown, SHOW, "show")
        self.assertEqual(([job["stage"] for job in shown["stages"]], [job["job"] for job in shown["trials"]]), (["sum"], [trial["job"]]))
        self.assertIn("tried scale 7", self.site.run("log", "--job", trial["job"]).stdout)


if __name__ == "__main__":
    unittest.main()
