"""What goes wrong ends in a stated way, and the next run is not touched by it."""

import os
import signal
import subprocess
import sys
import unittest

from site_under_test import COPY_SCRIPT, PYTHON, SOURCE, SiteUnderTest, make_run

BAD_SCRIPTS = {
    # kind of failure, a part of the reason, whether there is a traceback
    1: ("def main(input_file, output_dir):\n    print 'two'\n", "script_syntax", "SyntaxError", True),
    2: ("def main(input_file, output_dir):\n    raise ValueError('no vanadium')\n", "script_exception", "no vanadium", True),
    3: ("import sys\ndef main(input_file, output_dir):\n    sys.exit(3)\n", "script_exit", "3", None),
    4: ("def main(input_file, output_dir):\n    while True: pass\n", "time_limit", "time limit", False),
    5: ("import sys\ndef main(input_file, output_dir):\n    for i in range(200): sys.stdout.write('x' * 1048576)\n    raise RuntimeError('after much')\n", "script_exception", "after much", True),
    6: ("print('no function here')\n", "contract", "main", None),
    7: ("import os\ndef main(input_file, output_dir):\n    os.kill(os.getpid(), 9)\n", "script_signal", "signal", False),
    8: ("import not_there_at_all\ndef main(input_file, output_dir): pass\n", "script_exception", "not_there_at_all", True),
}


class TroubleTest(unittest.TestCase):
    def setUp(self):
        self.site = SiteUnderTest()
        self.addCleanup(self.site.close)

    def test_bad_scripts_fail_with_kind_traceback_and_log_and_the_next_run_succeeds(self):
        folders = {n: self.site.instrument(f"BAD{chr(64 + n)}", script, time_limit="2s" if "while True" in script else "10m") for n, (script, *_) in BAD_SCRIPTS.items()}
        good = self.site.instrument("GOOD", COPY_SCRIPT)
        self.site.start()
        for number, folder in folders.items():
            make_run(folder / f"run{number:05}.nxs", number)
        make_run(good / "GOOD00099.nxs", 99)
        wanted = {(f"BAD{chr(64 + n)}", n): "failed" for n in BAD_SCRIPTS}
        wanted[("GOOD", 99)] = "succeeded"
        runs = self.site.wait_for_states(wanted)
        for number, (_, kind, text, has_traceback) in BAD_SCRIPTS.items():
            name = f"BAD{chr(64 + number)}"
            with self.subTest(text):
                attempts = self.site.json("show", name, number)["versions"][0]["attempts"]
                self.assertEqual([a["kind"] for a in attempts], [kind])
                self.assertIn(text, attempts[0]["message"])
                self.assertIn(text, runs[(name, number)]["reason"])
                self.assertEqual(runs[(name, number)]["version"], 1)
                if has_traceback is not None:
                    self.assertEqual(attempts[0]["traceback_sha256"] is not None, has_traceback)
        log = self.site.run("log", "BADE", "5").stdout
        self.assertLess(len(log), 4 << 20)
        self.assertIn("after much", log)
        self.assertIn("reduce.py", self.site.run("log", "BADB", "2").stdout)

    def test_script_that_says_skip_is_skipped(self):
        raw = self.site.instrument("MARI", "def main(input_file, output_dir):\n    raise RuntimeError('Skip: an empty can')\n")
        self.site.start()
        make_run(raw / "MAR00001.nxs", 1)
        run = self.site.wait_for_states({("MARI", 1): "skipped"})[("MARI", 1)]
        self.assertIn("an empty can", run["reason"])

    def test_run_without_a_script_is_skipped_and_reduced_when_there_is_one(self):
        raw = self.site.instrument("MARI", COPY_SCRIPT)
        self.site.script_path("MARI").unlink()
        self.site.start()
        make_run(raw / "MAR00001.nxs", 1)
        run = self.site.wait_for_states({("MARI", 1): "skipped"})[("MARI", 1)]
        self.assertIn("reduce.py", run["reason"])
        self.site.write_script("MARI", COPY_SCRIPT)
        self.site.run("rerun", "MARI", "1", "--script", "current", "--wait")
        self.assertEqual(self.site.runs()[("MARI", 1)]["state"], "succeeded")

    def test_bad_files_are_refused_with_a_reason_and_the_others_go_on(self):
        raw = self.site.instrument("MARI", COPY_SCRIPT)
        self.site.start()
        whole = make_run(raw / "MAR00001.nxs", 1).read_bytes()
        bad = {
            2: (b"", "empty"),
            3: (whole[: len(whole) // 2], "truncated"),
            4: (b"\x0e\x03\x13\x01" + b"\0" * 100, "HDF4"),
            5: (b"<!DOCTYPE html><html>404</html>", "HTML"),
            6: (b"\x1f\x8b\x08" + b"\0" * 100, "gzip"),
            7: (b"PK\x03\x04" + b"\0" * 100, "ZIP"),
            8: (whole.replace(b"\r\n", b"\n"), "text"),
            9: (b"\0" * len(whole), "zero"),
        }
        for number, (content, _) in bad.items():
            (raw / f"MAR0000{number}.nxs").write_bytes(content)
        make_run(raw / "MAR00010.nxs", 10)
        wanted = {("MARI", n): "refused" for n in bad}
        wanted.update({("MARI", 1): "succeeded", ("MARI", 10): "succeeded"})
        runs = self.site.wait_for_states(wanted)
        for number, (_, word) in bad.items():
            with self.subTest(word):
                self.assertIn(word.lower(), runs[("MARI", number)]["reason"].lower())
        # A refused file that is put right is taken.
        make_run(raw / "MAR00003.nxs", 3)
        self.site.wait_for_states({("MARI", 3): "succeeded"})

    def test_experiment_that_is_a_path_stays_inside_the_output_folder(self):
        raw = self.site.instrument("MARI", COPY_SCRIPT)
        self.site.start()
        make_run(raw / "MAR00001.nxs", 1, experiment="../../../../etc/cron.d", title="a/b\nc\"; $(id) {{7*7}} <script>\x1b[31m")
        self.site.wait_for_states({("MARI", 1): "succeeded"})
        outputs = list((self.site.folder / "output/MARI").rglob("MAR00001.nxs"))
        self.assertEqual(len(outputs), 1)
        self.assertNotIn("\x1b", self.site.run("runs").stdout)

    def test_killed_up_loses_nothing_and_doubles_nothing(self):
        # Each start of the script leaves a line; what a version published is whole.
        script = (
            "import os, time\n"
            "def main(input_file, output_dir):\n"
            "    for name in 'abc':\n"
            "        open(output_dir + name, 'w').write(input_file)\n"
            "        time.sleep(0.05)\n"
        )
        raw = self.site.instrument("MARI", script)
        up = self.site.start()
        numbers = range(1, 21)
        for number in numbers:
            make_run(raw / f"MAR{number:05}.nxs", number)
        for kills in (2, 6, 11):
            self.site.wait_for(lambda: len([r for r in self.site.runs().values() if r["state"] == "succeeded"]) >= kills, f"{kills} done")
            self.site.stop(up, signal.SIGKILL)
            up = self.site.start()
        runs = self.site.wait_for_states({("MARI", n): "succeeded" for n in numbers})
        for number in numbers:
            self.assertEqual(runs[("MARI", number)]["version"], 1)
            folder = self.site.folder / f"output/MARI/2010001/{number}"
            self.assertEqual(sorted(os.listdir(folder)), ["run-version-1"])
            self.assertEqual(sorted(os.listdir(folder / "run-version-1")), ["a", "b", "c", "reduction_log"])
            events = self.site.json("explain", "MARI", number)
            self.assertEqual(len([e for e in events if e["kind"] == "jobSucceeded"]), 1)
            self.assertEqual(len([e for e in events if e["kind"] == "runDetected"]), 1)

    def test_job_of_a_dead_worker_is_run_by_another(self):
        gate = self.site.folder / "gate"
        script = f"import os, time\ndef main(input_file, output_dir):\n    while not os.path.exists({str(gate)!r}): time.sleep(0.01)\n    open(output_dir + 'done', 'w').close()\n"
        raw = self.site.instrument("MARI", script)
        self.site.settings = self.site.settings.replace('lease = "5s"', 'lease = "1s"')
        for program in ("ledgerd", "monitord", "coordinatord"):
            self.site.start(program)
        first = self.site.start("workerd", "--name", "first")
        make_run(raw / "MAR00001.nxs", 1)
        self.site.wait_for_states({("MARI", 1): "running"})
        self.site.stop(first, signal.SIGKILL)
        gate.touch()
        self.site.start("workerd", "--name", "second")
        self.site.wait_for_states({("MARI", 1): "succeeded"})
        attempts = self.site.json("trace", "MARI/1/v1")["attempts"]
        self.assertEqual([(a["worker"], a["outcome"]) for a in attempts], [("first", "lost"), ("second", "succeeded")])
        self.assertEqual(os.listdir(self.site.folder / "output/MARI/2010001/1"), ["run-version-1"])

    def test_run_killed_while_publishing_is_finished_under_another_name(self):
        # Symptom: it was running for ever, and neither cancel nor rerun was taken.
        raw = self.site.instrument("MARI", COPY_SCRIPT)
        for number in range(1, 31):
            up = self.site.start("runledger-up", "--name", "w1")
            make_run(raw / f"MAR{number:05}.nxs", number)
            output = self.site.folder / f"output/MARI/2010001/{number}/run-version-1"
            while not output.exists():  # from here to the event that says so takes two syncs
                self.assertIsNone(up.poll())
            self.site.stop(up, signal.SIGKILL)
            ledgerd = self.site.start("ledgerd")
            caught = self.site.runs()[("MARI", number)]["state"] == "running"
            self.site.stop(ledgerd)
            if caught:
                break
        self.assertTrue(caught)
        self.site.start("runledger-up", "--name", "w2")
        self.site.wait_for_states({("MARI", number): "succeeded"})
        attempts = self.site.json("trace", f"MARI/{number}/v1")["attempts"]
        self.assertEqual([(a["worker"], a["outcome"]) for a in attempts], [("w1", "succeeded")])

    def test_endless_reduce_vars_of_one_instrument_delays_no_other(self):
        # Symptom: each run of that instrument kept every other instrument waiting for 30 s.
        pipe = self.site.folder / "pipe"
        os.mkfifo(pipe)  # opening it waits for the other side
        mari = self.site.instrument("MARI", COPY_SCRIPT, variables=f"standard_vars = {{'mon': len(open({str(pipe)!r}).read())}}\n")
        let = self.site.instrument("LET", COPY_SCRIPT)
        self.site.start()
        make_run(mari / "MAR00001.nxs", 1)
        reading = pipe.open("w")
        make_run(let / "LET00001.nxs", 1)
        runs = self.site.wait_for_states({("LET", 1): "succeeded"})
        self.assertEqual(runs[("MARI", 1)]["state"], "detected")
        reading.close()
        self.site.wait_for_states({("MARI", 1): "succeeded"})

    def test_cancelled_script_is_ended_before_the_next_sign_of_life(self):
        # Symptom: it ran on for a third of the lease. Here that is eight hours, and the only slot is needed.
        printed = self.site.folder / "printed"
        os.mkfifo(printed)  # opening it waits for the other side
        script = (
            "import time\ndef main(input_file, output_dir):\n    if input_file.endswith('2.nxs'): return\n"
            f"    print('rebinning', flush=True)\n    open('{printed}', 'w').close()\n    while True: time.sleep(0.01)\n"
        )
        raw = self.site.instrument("MARI", script)
        self.site.settings = self.site.settings.replace('lease = "5s"', 'lease = "24h"').replace("slots = 2", "slots = 1")
        self.site.start()
        make_run(raw / "MAR00001.nxs", 1)
        printed.open().close()
        make_run(raw / "MAR00002.nxs", 2)
        self.site.wait_for_states({("MARI", 2): "queued"})
        self.site.run("cancel", "MARI/1/v1")
        self.site.wait_for_states({("MARI", 1): "cancelled", ("MARI", 2): "succeeded"})
        # The slot was free again only after the log had been handed in; it used to be thrown away.
        self.assertIn("rebinning", self.site.run("log", "MARI/1/v1").stdout)

    def test_two_ledgers_on_one_folder_are_refused(self):
        self.site.instrument("MARI", COPY_SCRIPT)
        self.site.start()
        from site_under_test import BIN

        second = subprocess.run([BIN / "runledger-up", "--site", self.site.folder], capture_output=True, text=True, timeout=60)
        self.assertEqual(second.returncode, 2)
        self.assertIn(str(self.site.folder), second.stderr)

    def test_mistake_in_the_site_file_is_named(self):
        self.site.instrument("MARI", COPY_SCRIPT, tme_limit="5m")
        self.site.write_site()
        from site_under_test import BIN

        started = subprocess.run([BIN / "runledger-up", "--site", self.site.folder], capture_output=True, text=True, timeout=60)
        self.assertEqual(started.returncode, 2)
        self.assertIn("tme_limit", started.stderr)


if __name__ == "__main__":
    unittest.main()
