"""The JSON that programs rely on, as the real command prints it: exactly these fields, of these types, null where unknown."""

import re
import unittest

from site_under_test import SiteUnderTest, make_run


class Text:
    """A field's check: a type, and for text the form it has."""

    def __init__(self, pattern):
        self.pattern = re.compile(pattern)

    def __call__(self, value):
        return isinstance(value, str) and self.pattern.fullmatch(value) is not None


class OrNull:
    def __init__(self, inner):
        self.inner = inner


TIME = Text(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")
FILE_TIME = Text(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z?")  # a file's clock may name no zone
SHA256 = Text("[0-9a-f]{64}")
STATE = Text("detected|refused|held|queued|running|succeeded|failed|skipped|cancelled")
ANY = object()

REASON = {"reason": OrNull(str), "reason_code": OrNull(Text("[a-z_]+")), "reason_event": OrNull(int)}
RAW_FILE = {"path": str, "size_bytes": int, "sha256": OrNull(SHA256)}
RUN = {
    "instrument": str, "run_number": int, "experiment": OrNull(str), "title": OrNull(str), "state": STATE,
    "version": OrNull(int), "job": OrNull(int),
    "detected_at": TIME, "started_at": OrNull(TIME), "finished_at": OrNull(TIME), "raw_files": [RAW_FILE],
    "problems": [str], **REASON,
}
METADATA = {
    "start_time": OrNull(FILE_TIME), "end_time": OrNull(FILE_TIME), "proton_charge": OrNull(float),
    "proton_charge_unit": OrNull(str), "total_counts": OrNull(int),
    "users": OrNull([str]), "run_number": OrNull(int), "experiment": OrNull(str), "title": OrNull(str),
    "instrument": OrNull(str), "raw_frames": OrNull(int),
    "good_frames": OrNull(int), "duration": OrNull(float), "duration_unit": OrNull(str), "definition": OrNull(str),
    "entry_path": OrNull(str),
    "entry_count": int, "raw_text": ANY,
}
VARIABLE = {
    "name": str, "group": Text("standard|advanced"), "value": ANY,
    "rule": Text("script_default|default|from_run|experiment|given|previous_version"),
    "set_by": OrNull(str), "set_at": OrNull(TIME), "set_event": OrNull(int), "help": OrNull(str), "needs_value": bool,
}
ATTEMPT = {
    "number": int, "worker": str, "started_at": TIME, "finished_at": OrNull(TIME),
    "outcome": Text("running|publishing|succeeded|failed|lost|skipped"),
    "message": OrNull(str), "kind": OrNull(str), "host": OrNull(str), "exit_status": OrNull(int), "fence": int,
    "output_files": int, "output_bytes": int,
    "environment_sha256": OrNull(SHA256), "traceback_sha256": OrNull(SHA256), "log_sha256": OrNull(SHA256),
}
VERSION = {
    "version": int, "job": int, "state": STATE, **REASON, "requested_by": str, "requested_by_right": OrNull(str), "queued_at": TIME, "queued_because": str, "started_at": OrNull(TIME),
    "finished_at": OrNull(TIME),
    "script": {"sha256": SHA256, "path": str, "contract": Text("isis|sns"), "siblings": [{"name": str, "sha256": SHA256}]},
    "variables": [VARIABLE], "attempts": [ATTEMPT], "outputs": [{"path": str, "size_bytes": int, "sha256": SHA256, "name": str, "declared": bool}],
    "log_sha256": OrNull(SHA256), "inputs": [RAW_FILE], "output_directory": OrNull(str), "interpreter": str,
    "experiment": OrNull(str), "superseded_by": OrNull(int), "campaign": OrNull(int), "wrote_nothing": bool,
    "support_files": [{"name": str, "group": str, "path": str, "sha256": SHA256, "size_bytes": int, "kept": bool}],
    "outside": [{"path": str, "what": Text("created|changed|removed"), "size_bytes": int, "sha256": OrNull(SHA256)}], "remarks": [str], "plots": [str],
}
OTHER_JOB = {
    "job": int, "stage": OrNull(str), "version": OrNull(int), "state": STATE, "runs": [int], **REASON, "requested_by": OrNull(str), "queued_at": TIME,
    "finished_at": OrNull(TIME), "script": {"sha256": SHA256, "path": str}, "output_directory": OrNull(str), "superseded_by_job": OrNull(int),
}
EVENT = {"seq": int, "time": TIME, "kind": str, "actor": str, "code": OrNull(str), "text": str, "cause": OrNull(int), "right": OrNull(str)}
ENVIRONMENT = {
    "host": str, "kernel": OrNull(str), "interpreter_path": str, "interpreter_version": OrNull(str), "runledger_version": str,
    "variables": [str],
    "working_directory": OrNull(str),
}
SHOW = {**RUN, "run": METADATA, "versions": [VERSION], "stages": [OTHER_JOB], "trials": [OTHER_JOB]}
HISTORY = {"events": [int], "history": [EVENT]}
TRACE = {
    "instrument": str, "run_number": int, "title": OrNull(str), "raw_files": [RAW_FILE], **VERSION,
    "environment": OrNull(ENVIRONMENT), "run": METADATA, **HISTORY,
}
TRACE_WITHOUT_VERSION = {**RUN, "run": METADATA, **HISTORY}
STATUS = {
    "facility": str, "ledger": Text("ok|read-only|storage-low"), "ledger_detail": OrNull(str), "head": int,
    "counts": {state: int for state in STATE.pattern.pattern.split("|")},
    "instruments": [{"name": str, "paused": bool, "pause_reason": OrNull(str), "last_run": OrNull(int), "runs": int,
    "waiting": int}],
    "daemons": [{"name": str, "connected": bool, "last_seen_at": TIME, "detail": OrNull(str)}], "now": TIME, "started_at": TIME,
    "follow": OrNull({"source": str, "state": Text("connecting|catching_up|following|unreachable|stopped"), "since": TIME,
                      "source_head": OrNull(int), "behind": OrNull(int), "checkpoint_size": OrNull(int), "checkpoint_at": OrNull(TIME),
                      "detail": OrNull(str)}),
    "directory": OrNull({"configured": bool, "refreshed_at": OrNull(TIME), "problem": OrNull(str)}),
}

SCRIPT = """
import h5py
import reduce_vars

def main(input_file, output_dir):
    print("reducing", input_file)
    if input_file.endswith("2.nxs"):
        raise ValueError("no monitor")
    open(output_dir + "done.txt", "w").write("done")
"""
VARIABLES = """
standard_vars = {"scale": 1}
advanced_vars = {"mask": None}
variable_help = {"standard_vars": {"scale": "factor"}, "advanced_vars": {}}
"""


class FormTest(unittest.TestCase):
    def check(self, value, form, where):
        if form is ANY:
            return
        if isinstance(form, OrNull):
            if value is not None:
                self.check(value, form.inner, where)
        elif isinstance(form, dict):
            self.assertIsInstance(value, dict, where)
            self.assertEqual(set(value), set(form), where)
            for name, inner in form.items():
                self.check(value[name], inner, f"{where}.{name}")
        elif isinstance(form, list):
            self.assertIsInstance(value, list, where)
            for index, item in enumerate(value):
                self.check(item, form[0], f"{where}[{index}]")
        elif isinstance(form, Text):
            self.assertTrue(form(value), f"{where}: {value!r}")
        else:
            self.assertIs(type(value), form, f"{where}: {value!r}")  # a bool is no int here


class JsonTest(FormTest):
    @classmethod
    def setUpClass(cls):
        cls.site = SiteUnderTest()
        cls.addClassCleanup(cls.site.close)
        raw = cls.site.instrument("MARI", SCRIPT, variables=VARIABLES)
        bare = cls.site.instrument("BARE", SCRIPT)
        cls.site.script_path("BARE").unlink()
        paused = cls.site.instrument("HELD", SCRIPT, variables=VARIABLES)
        sns = cls.site.instrument("EQSANS", "print('nothing to do')\n", contract="sns")
        cls.site.start()
        cls.site.run("pause", "HELD", "--comment", "detector work")
        make_run(raw / "MAR00001.nxs", 1)
        cls.site.wait_for_states({("MARI", 1): "succeeded"})
        cls.site.run("vars", "set", "MARI", "scale=5", "--from-run", "1")
        make_run(raw / "MAR00002.nxs", 2)
        (raw / "MAR00003.nxs").write_bytes(b"<!DOCTYPE html><html>404</html>")
        make_run(bare / "BARE00001.nxs", 1, experiment="", title="")
        make_run(paused / "HELD00001.nxs", 1)
        make_run(sns / "EQSANS_1.nxs.h5", 1, entry="entry")
        cls.states = {("MARI", 1): "succeeded", ("MARI", 2): "failed", ("MARI", 3): "refused", ("BARE", 1): "skipped",
                      ("HELD", 1): "held", ("EQSANS", 1): "succeeded"}
        cls.site.wait_for_states(cls.states)

    def test_runs(self):
        runs = self.site.json("runs")
        self.assertEqual(len(runs), len(self.states))
        self.check(runs, [RUN], "runs")

    def test_show(self):
        for name, number in self.states:
            with self.subTest(instrument=name, run=number):
                self.check(self.site.json("show", name, number), SHOW, "show")

    def test_trace(self):
        for (name, number), state in self.states.items():
            with self.subTest(instrument=name, run=number):
                form = TRACE_WITHOUT_VERSION if state in ("refused", "skipped") else TRACE
                self.check(self.site.json("trace", name, number), form, "trace")

    def test_status(self):
        status = self.site.json("status")
        self.check(status, STATUS, "status")
        counts = {state: n for state, n in status["counts"].items() if n}
        self.assertEqual(counts, {"succeeded": 2, "failed": 1, "refused": 1, "skipped": 1, "held": 1})
        self.assertEqual([daemon["name"].split("/")[0] for daemon in status["daemons"]], ["coordinatord", "monitord", "workerd"])
        instruments = {instrument["name"]: instrument for instrument in status["instruments"]}
        self.assertEqual(set(instruments), {"MARI", "BARE", "HELD", "EQSANS"})
        self.assertIn("detector work", instruments["HELD"]["pause_reason"])
        self.assertIsNone(instruments["MARI"]["pause_reason"])
        self.assertEqual(instruments["HELD"]["waiting"], 1)

    def test_what_is_known_is_there(self):
        version = self.site.json("show", "MARI", 2)["versions"][0]
        variables = {v["name"]: (v["value"], v["rule"]) for v in version["variables"]}
        self.assertEqual(variables, {"scale": (5, "from_run"), "mask": (None, "script_default")})
        known = ("message", "kind", "finished_at", "traceback_sha256", "log_sha256")
        self.assertTrue(all(version["attempts"][0][name] for name in known))
        for (name, number), state in self.states.items():
            with self.subTest(instrument=name, run=number):
                run = self.site.runs()[(name, number)]
                self.assertEqual(run["state"], state)
                self.assertTrue(all(run[field] for field in REASON))

    def test_what_is_unknown_is_null(self):
        refused = self.site.json("show", "MARI", 3)
        for name in ("experiment", "title", "version", "job", "started_at", "finished_at"):
            self.assertIsNone(refused[name], name)
        for name in ("start_time", "proton_charge", "total_counts", "users", "run_number"):
            self.assertIsNone(refused["run"][name], name)
        self.assertEqual(refused["versions"], [])
        bare = self.site.runs()[("BARE", 1)]
        self.assertEqual((bare["experiment"], bare["title"], bare["version"]), (None, None, None))
        held = self.site.json("trace", "HELD", 1)
        for name in ("started_at", "finished_at", "environment", "log_sha256"):
            self.assertIsNone(held[name], name)
        self.assertEqual(held["attempts"], [])


if __name__ == "__main__":
    unittest.main()
