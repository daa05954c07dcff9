"""What was said once is said again, byte for byte, by whoever looks back; and the record explains itself."""

import unittest

from site_under_test import SiteUnderTest, make_run

SCRIPT = """
import reduce_vars

def main(input_file, output_dir):
    with open(output_dir + "scale.txt", "w") as out:
        out.write(str(reduce_vars.standard_vars["scale"]))
"""
VARIABLES = """
standard_vars = {"scale": 1}
advanced_vars = {}
variable_help = {"standard_vars": {"scale": "factor"}, "advanced_vars": {}}
"""


class LookingBackTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.site = site = SiteUnderTest()
        cls.addClassCleanup(site.close)
        raw = site.instrument("MARI", SCRIPT, variables=VARIABLES)
        site.start()
        for number in (1, 2):
            make_run(raw / f"MAR0000{number}.nxs", number)
        site.wait_for_states({("MARI", number): "succeeded" for number in (1, 2)})
        cls.asked = {words: site.run("--json", *words.split()).stdout for words in ("runs", "vars show MARI", "script list MARI", "explain MARI 1")}
        cls.objects = {words: site.json(*words.split()) for words in ("show MARI 1", "trace MARI/1/v1", "status")}
        cls.head = cls.objects["status"]["head"]
        cls.time = site.json("explain", "MARI")[-1]["time"]
        cls.dry = site.json("vars", "set", "MARI", "scale=3", "--from-run", "2", "--dry-run")
        cls.head_after_dry_run = site.json("status")["head"]

        site.run("vars", "set", "MARI", "scale=3", "--from-run", "2", "--comment", "absorber out")
        site.write_script("MARI", SCRIPT.replace("str(", "'%s' % ("), variables=VARIABLES)
        site.run("rerun", "MARI/2", "--script", "current", "--fresh-variables", "--wait")
        make_run(raw / "MAR00005.nxs", 5)
        (raw / "MAR00004.nxs").write_bytes(b"<!DOCTYPE html><html>404</html>")
        site.wait_for_states({("MARI", 5): "succeeded", ("MARI", 4): "refused"})
        site.run("pause", "MARI")

    def test_what_was_listed_then_is_listed_again_to_the_byte(self):
        for words, then in self.asked.items():
            with self.subTest(words=words):
                self.assertEqual(self.site.run("--json", "--at", self.head, *words.split()).stdout, then)
                self.assertEqual(self.site.run("--json", *words.split(), "--at", self.time).stdout, then)
                if words != "explain MARI 1":  # nothing has happened to it since
                    self.assertNotEqual(self.site.run("--json", *words.split()).stdout, then)

    def test_what_was_shown_then_is_shown_again(self):
        for words in ("show MARI 1", "trace MARI/1/v1"):
            with self.subTest(words=words):
                again = self.site.json("--at", self.head, *words.split())
                self.assertEqual(again.pop("at"), {"event": self.head, "time": self.time})
                self.assertEqual(again, self.objects[words])

    def test_status_is_of_then_without_daemons(self):
        then, again = self.objects["status"], self.site.json("status", "--at", self.head)
        self.assertEqual((again["head"], again["counts"], again["instruments"]), (then["head"], then["counts"], then["instruments"]))
        self.assertEqual((again["daemons"], again["now"], again["started_at"], again["ledger"]), ([], self.time, None, None))

    def test_before_the_first_event_there_is_nothing(self):
        ran = self.site.run("status", "--at", "1999-12-31T23:59:59Z", check=False)
        self.assertEqual((ran.returncode, ran.stdout), (1, ""))
        self.assertIn("nothing was recorded at or before 1999-12-31T23:59:59Z", ran.stderr)
        self.assertEqual(self.site.run("runs", "--at", self.head + 1000, check=False).returncode, 1)

    def test_dry_run_foretold_what_came_and_recorded_nothing(self):
        self.assertEqual(self.head_after_dry_run, self.head)
        self.assertEqual([(c["run_number"], c["name"], c["before"], c["after"]) for c in self.dry["changes"]], [(2, "scale", 1, 3)])
        value = {v["name"]: v["value"] for v in self.site.json("show", "MARI/2/v2")["versions"][0]["variables"]}
        self.assertEqual(value, {"scale": 3})
        self.assertEqual(self.dry["coming"], ["scale = 3: for every coming run"])

    def test_blame_names_each_value_with_who_and_which_runs(self):
        by_script, by_person = self.site.json("vars", "blame", "MARI", "scale")
        self.assertEqual((by_script["value"], by_script["scope"]["kind"], by_script["ended_event"]), (1, "script_default", None))
        self.assertCountEqual([(v["run_number"], v["version"]) for v in by_script["versions"]], [(1, 1), (2, 1)])  # the order of their jobs
        self.assertEqual((by_person["value"], by_person["scope"]["from_run"], by_person["comment"]), (3, 2, "absorber out"))
        self.assertEqual([(v["run_number"], v["version"]) for v in by_person["versions"]], [(2, 2), (5, 1)])
        self.assertTrue(by_person["set_by"])
        self.assertEqual(len(self.site.json("vars", "blame", "MARI", "scale", "--at", self.head)), 1)

    def test_versions_that_differ_are_told_apart(self):
        diff = self.site.json("diff", "MARI/2/v1", "MARI/2/v2")
        self.assertFalse(diff["same"])
        self.assertIn("+        out.write('%s' % (", diff["scripts"][0]["diff"])
        self.assertEqual(diff["variables"], [{"name": "standard.scale", "in_a": True, "a": 1, "in_b": True, "b": 3}])
        self.assertEqual([o["name"] for o in diff["outputs"]], ["scale.txt"])
        self.assertEqual(self.site.run("diff", "MARI/2/v1", "MARI/2/v2", check=False).returncode, 1)
        self.assertEqual(self.site.run("diff", "MARI/2/v2", "MARI/2/v2", check=False).returncode, 0)

    def test_missing_runs_have_their_hole(self):
        (hole,) = self.site.json("runs", "--missing")
        self.assertEqual((hole["first"], hole["last"], hole["before"]["run_number"], hole["after"]["run_number"]), (3, 4, 2, 5))
        self.assertEqual([(r["run_number"], r["reason_code"]) for r in hole["refused"]], [(4, "html")])
        self.assertEqual(self.site.run("runs", "MARI", "--missing", "--at", self.head, check=False).returncode, 1)

    def test_explanation_reaches_the_cause(self):
        events = self.site.json("explain", "MARI", 2)
        by_seq = {event["seq"]: event for event in events}
        for event in events:
            with self.subTest(seq=event["seq"]):
                self.assertEqual(event["cause"] is None, event["cause_text"] is None)
                if event["cause"] in by_seq:
                    self.assertEqual(event["cause_text"], by_seq[event["cause"]]["text"])


if __name__ == "__main__":
    unittest.main()
