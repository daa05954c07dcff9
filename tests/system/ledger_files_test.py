"""A ledger leaves its site and comes back: backed up, exported, wiped, restored, imported; what `runs` says is the same."""

import json
import os
import pathlib
import shutil
import subprocess
import unittest

from site_under_test import BIN, COPY_SCRIPT, SiteUnderTest, make_run


class LedgerFilesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.site = SiteUnderTest()
        cls.addClassCleanup(cls.site.close)
        raw = cls.site.instrument("MARI", COPY_SCRIPT)
        up = cls.site.start()
        for number in range(1, 4):
            make_run(raw / f"MAR{number:05}.nxs", number)
        cls.site.wait_for_states({("MARI", number): "succeeded" for number in range(1, 4)})
        cls.runs = cls.site.json("runs")
        cls.trace = cls.site.json("trace", "MARI", "2")
        cls.backup = cls.site.json("admin", "backup", cls.site.folder / "backup")
        cls.export = cls.site.json("export", "-o", cls.site.folder / "whole.export")
        cls.first_events = cls.export["to"]
        make_run(raw / "MAR00004.nxs", 4)
        cls.site.wait_for_states({("MARI", 4): "succeeded"})
        cls.all_runs = cls.site.json("runs")
        cls.later = cls.site.json("export", "--from", cls.first_events + 1, "--output", cls.site.folder / "later.export")
        cls.site.stop(up)
        cls.ledger = cls.site.folder / "ledger"
        stopped = cls.site.json("verify", "--offline")
        cls.stopped_events, cls.stopped_root = stopped["events"], stopped["root"]
        shutil.copytree(cls.ledger, cls.site.folder / "kept")
        cls.witness = cls.site.folder / "witness"
        cls.witness.rename(cls.site.folder / "kept-witness")

    def setUp(self):
        # Without the witness file, which rightly misses what an older backup does not hold.
        shutil.rmtree(self.ledger, ignore_errors=True)
        shutil.rmtree(self.witness, ignore_errors=True)

    def answers_with(self, runs):
        """Starts the site's ledger and asks it."""
        process = self.site.start("ledgerd")
        try:
            self.assertEqual(self.site.json("runs"), runs)
            self.assertEqual(self.site.json("trace", "MARI", "2"), self.trace)
            self.assertEqual(self.site.run("verify").returncode, 0)
        finally:
            self.site.stop(process)

    def put_kept(self):
        shutil.copytree(self.site.folder / "kept", self.ledger)

    def test_backup_is_restored(self):
        held = self.site.run("--json", "restore", self.site.folder / "backup", self.ledger, check=False)
        self.assertEqual(held.returncode, 2, "--site does nothing with restore")
        held = self.plain("--json", "restore", self.site.folder / "backup", self.ledger)
        self.assertIn(self.backup["root"], held.stdout)
        self.answers_with(self.runs)
        again = self.plain("restore", self.site.folder / "backup", self.ledger, code=2)
        self.assertIn("there is something already", again.stderr)

    def test_export_is_imported_and_continued(self):
        self.plain("import", self.site.folder / "whole.export", self.ledger)
        self.answers_with(self.runs)

    def test_later_export_is_added(self):
        self.assertTrue(self.export["signed"])
        self.plain("import", self.site.folder / "whole.export", self.ledger)
        added = self.plain("import", self.site.folder / "later.export", self.ledger)
        self.assertIn(self.later["root"], added.stdout)
        self.answers_with(self.all_runs)

    def test_imported_site_goes_on_without_doing_anything_twice(self):
        self.plain("import", self.site.folder / "whole.export", self.ledger)
        self.plain("import", self.site.folder / "later.export", self.ledger)
        up = self.site.start()
        make_run(self.site.folder / "archive" / "MARI" / "data" / "MAR00005.nxs", 5)
        try:
            runs = self.site.wait_for_states({("MARI", 5): "succeeded"})
            self.assertEqual([runs[("MARI", number)]["version"] for number in range(1, 6)], [1] * 5)
        finally:
            (self.site.folder / "archive" / "MARI" / "data" / "MAR00005.nxs").unlink()
            shutil.rmtree(self.site.folder / "output" / "MARI" / "2010001" / "5", ignore_errors=True)
            self.site.stop(up)

    def test_damaged_export_is_refused_and_leaves_nothing(self):
        damaged = self.site.folder / "damaged.export"
        content = bytearray((self.site.folder / "whole.export").read_bytes())
        content[len(content) // 2] ^= 1
        damaged.write_bytes(content)
        refused = self.plain("import", damaged, self.ledger, code=2)
        self.assertRegex(refused.stderr, r"byte \d+: .*record")
        self.assertFalse(self.ledger.exists())

    def test_doctor_says_what_is_whole_and_what_to_do(self):
        self.put_kept()
        whole = self.site.json("doctor")
        self.assertEqual((whole["condition"], whole["findings"]), ("whole", []))
        self.assertEqual((whole["whole_events"], whole["whole_root"]), (self.stopped_events, self.stopped_root))
        (self.ledger / "HEAD").unlink()
        lost = self.site.json("doctor")
        self.assertEqual(lost["condition"], "head-lost")
        self.assertEqual(self.site.run("doctor", check=False).returncode, 1)
        self.assertIn("--accept-loss", self.site.run("doctor", check=False).stdout)

    def test_error_is_one_sentence_and_no_json(self):
        for words in (("import", "/nonexist", self.site.folder / "never"), ("restore", "/nonexist", self.site.folder / "never"),
                      ("doctor", self.site.folder / "never", "--salvage", self.site.folder / "saved"), ("export", "-o", self.site.folder / "never.export")):
            with self.subTest(words=words[0]):
                ran = self.plain("--json", *words, code=2)
                self.assertEqual(ran.stdout, "")
                self.assertRegex(ran.stderr.splitlines()[-1], r"^runledger: .+")
                self.assertEqual(len([line for line in ran.stderr.splitlines() if not line.endswith(" ...")]), 1, ran.stderr)

    def test_names_that_are_no_utf8_are_printed(self):
        odd = os.fsencode(self.site.folder) + b"/l\xff"
        said = self.plain("--json", "import", self.site.folder / "whole.export", os.fsdecode(odd))
        self.addCleanup(shutil.rmtree, odd)
        self.assertEqual(json.loads(said.stdout)["folder"], f"{self.site.folder}/l\\xff")
        self.assertEqual(json.loads(self.plain("--json", "doctor", os.fsdecode(odd)).stdout)["condition"], "whole")

    def test_working_folder_that_was_removed_is_an_error(self):
        gone = self.site.folder / "gone"
        for command in ("doctor", "export -o x.export"):
            gone.mkdir()
            ran = subprocess.run(f'cd {gone} && rmdir {gone} && exec {BIN / "runledger"} {command}', shell=True, capture_output=True, text=True,
                                 env=self.environment(), stdin=subprocess.DEVNULL)
            self.assertEqual((ran.returncode, ran.stdout), (2, ""), ran.stderr)
            self.assertRegex(ran.stderr, r"^runledger: .+\n$")

    def test_export_that_bears_no_checkpoint_must_be_asked_for(self):
        self.put_kept()
        self.witness.mkdir()
        (self.witness / "checkpoints").write_text("something else\n")
        file = self.site.folder / "unsigned.export"
        process = self.site.start("ledgerd")
        try:
            refused = self.site.run("--json", "export", "-o", file, check=False)
            self.assertEqual((refused.returncode, refused.stdout, file.exists()), (2, "", False))
            self.assertRegex(refused.stderr, "would bear no checkpoint: .* is no witness file.* --unsigned")
            exported = self.site.run("--json", "export", "--unsigned", "-o", file)
            self.addCleanup(file.unlink)
        finally:
            self.site.stop(process)
        self.assertIn("unsigned.export bears no checkpoint: ", exported.stderr)
        said = json.loads(exported.stdout)
        self.assertFalse(said["signed"])
        self.assertIn("is no witness file", said["unsigned_because"])

    def test_verifying_from_an_event_says_what_was_not_read(self):
        self.put_kept()
        shutil.copytree(self.site.folder / "kept-witness", self.witness)
        said = self.site.json("verify", "--offline", "--from", self.stopped_events)
        self.assertEqual((said["ok"], said["events"], said["root"]), (True, self.stopped_events, self.stopped_root))
        self.assertTrue(0 < said["trusted"] < self.stopped_events, said)
        words = self.site.run("verify", "--offline", "--from", self.stopped_events).stdout
        self.assertEqual(words, f"events {said['trusted'] + 1} to {said['events']} verified, those before taken from the checkpoint of {said['trusted']} events, "
                                f"root {said['root']}\n")

    def test_running_ledger_is_left_alone(self):
        self.put_kept()
        process = self.site.start("ledgerd")
        try:
            found = self.site.json("doctor")
            self.assertEqual((found["condition"], found["locked_by"]), ("in-use", process.pid))
        finally:
            self.site.stop(process)

    def test_accepted_loss_is_on_record(self):
        self.put_kept()
        shutil.rmtree(self.ledger / "db")
        shutil.copytree(self.site.folder / "backup" / "db", self.ledger / "db")
        shutil.copytree(self.site.folder / "kept-witness", self.witness)
        before = (self.witness / "checkpoints").read_bytes()
        found = self.site.json("doctor")
        self.assertEqual(found["condition"], "short")
        self.assertGreater(found["witnessed_events"], self.first_events)
        refused = self.site.run("doctor", "--accept-loss", check=False)
        self.assertIn("--reason", refused.stderr)
        self.site.run("doctor", "--accept-loss", "--reason", "the newer disk is gone")
        self.answers_with(self.runs)
        self.assert_loss_is_stated(before, self.first_events, found["promised_events"])

    def assert_loss_is_stated(self, witness_before, kept, promised):
        """The witness file goes on, and everybody who checks is told."""
        said = f"event {kept + 1} accepts that events {kept + 1} to {promised} were lost"
        self.assertTrue((self.witness / "checkpoints").read_bytes().startswith(witness_before))
        verified = self.site.json("verify", "--offline")
        self.assertEqual((verified["ok"], len(verified["losses"])), (True, 1), verified)
        self.assertTrue(verified["losses"][0].startswith(said), verified["losses"])
        self.assertIn("stated loss: " + said, self.site.run("verify", "--offline").stdout)
        process = self.site.start("ledgerd")
        try:
            self.assertEqual(self.site.json("verify")["losses"], verified["losses"])
            self.assertIn("stated loss: " + said, self.site.run("verify").stdout)
            exported = self.site.folder / "after-loss.export"
            self.site.run("export", "-o", exported)
            self.addCleanup(exported.unlink)
        finally:
            self.site.stop(process)
        for file in (exported, self.witness / "checkpoints"):
            checked = subprocess.run([BIN / "runledger-verify", file, "--key", self.ledger / "checkpoint.pub"], capture_output=True, text=True)
            self.assertEqual(checked.returncode, 0, checked.stdout)
            self.assertIn("stated loss: event", checked.stdout)

    def test_older_backup_is_a_loss_where_the_witness_file_knows_more(self):
        self.put_kept()
        shutil.copytree(self.site.folder / "kept-witness", self.witness)
        before = (self.witness / "checkpoints").read_bytes()
        restored = self.site.run("doctor", "--restore", self.site.folder / "backup")
        self.addCleanup(shutil.rmtree, pathlib.Path(f"{self.ledger}.damaged-1"))
        self.assertIn("--accept-loss", restored.stderr)
        found = self.site.json("doctor")
        self.assertEqual(found["condition"], "short")
        unchanged = {path: path.read_bytes() for path in self.ledger.rglob("*") if path.is_file()}
        refused = subprocess.run([BIN / "ledgerd", "--site", self.site.folder], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)
        self.assertNotEqual(refused.returncode, 0, refused.stderr)
        self.assertRegex(refused.stderr, rf"witness file has {found['witnessed_events']} events .*'runledger doctor' says what to do")
        self.assertEqual({path: path.read_bytes() for path in self.ledger.rglob("*") if path.is_file()}, unchanged)
        self.site.run("doctor", "--accept-loss", "--reason", "restored")
        self.answers_with(self.runs)
        self.assert_loss_is_stated(before, self.backup["events"], found["witnessed_events"])

    def test_backup_takes_the_place_of_a_damaged_folder(self):
        self.put_kept()
        for file in (self.ledger / "db").glob("MANIFEST-*"):
            file.unlink()
        self.assertEqual(self.site.json("doctor")["condition"], "unreadable")
        self.site.run("doctor", "--restore", self.site.folder / "backup")
        self.addCleanup(shutil.rmtree, pathlib.Path(f"{self.ledger}.damaged-1"))
        self.assertTrue((self.site.folder / "ledger.damaged-1" / "HEAD").exists())
        self.answers_with(self.runs)

    def test_what_is_whole_is_saved(self):
        self.put_kept()
        saved = self.site.folder / "saved"
        self.addCleanup(shutil.rmtree, saved)
        self.site.run("doctor", "--salvage", saved)
        self.plain("doctor", saved)
        shutil.rmtree(self.ledger)
        shutil.copytree(saved, self.ledger)
        shutil.copytree(self.site.folder / "kept-witness", self.witness)
        self.answers_with(self.all_runs)  # and goes on under the key its checkpoints were signed with

    def environment(self):
        return {name: value for name, value in os.environ.items() if name != "RUNLEDGER_SITE"}

    def plain(self, *arguments, code=0):
        """Without a site, from a folder that is none."""
        ran = subprocess.run([BIN / "runledger", *map(str, arguments)], capture_output=True, text=True, cwd="/", env=self.environment(),
                             stdin=subprocess.DEVNULL)
        self.assertEqual(ran.returncode, code, ran.stderr)
        return ran


if __name__ == "__main__":
    unittest.main()
