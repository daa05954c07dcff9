"""Bad input for a ledger, through the real commands: each is named with its next step, refused, and nothing is made worse."""

import json
import os
import shutil
import subprocess
import unittest

from site_under_test import BIN, COPY_SCRIPT, SiteUnderTest, make_run


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def flip(path, at):
    content = bytearray(path.read_bytes())
    content[at] ^= 0x10
    path.write_bytes(content)


class DamageTest(unittest.TestCase):
    """One ledger of a real run, stopped; each test damages a copy of it."""

    @classmethod
    def setUpClass(cls):
        cls.site = SiteUnderTest()
        cls.addClassCleanup(cls.site.close)
        raw = cls.site.instrument("MARI", COPY_SCRIPT)
        up = cls.site.start()
        make_run(raw / "MARI28001.nxs", 28001)
        cls.site.wait_for_states({("MARI", 28001): "succeeded"})
        cls.site.stop(up)
        up = cls.site.start()  # what was in the write-ahead log goes into table files
        cls.site.run("pause", "MARI", "--comment", "in the write-ahead log")
        cls.site.run("resume", "MARI")
        cls.export = cls.site.folder / "whole.export"
        cls.events = cls.site.json("export", "-o", cls.export)["to"]
        cls.site.stop(up)
        cls.ledger, cls.witness = cls.site.folder / "ledger", cls.site.folder / "witness"
        cls.sound = {folder: cls.site.folder / f"sound-{folder.name}" for folder in (cls.ledger, cls.witness)}
        for folder, kept in cls.sound.items():
            shutil.copytree(folder, kept)
        cls.promised = cls.site.json("doctor")["promised_events"]

    def setUp(self):
        for folder, kept in self.sound.items():
            shutil.rmtree(folder)
            shutil.copytree(kept, folder)

    def files(self, pattern):
        found = sorted(path for path in (self.ledger / "db").glob(pattern) if path.stat().st_size > 0)
        self.assertTrue(found, pattern)
        return found

    def log(self):
        """The write-ahead log that holds the newest events."""
        return max(self.files("*.log"), key=lambda path: path.name)

    def start(self):
        """A ledgerd that must not come up: what it says."""
        self.site.write_site()
        ran = subprocess.run([BIN / "ledgerd", "--site", self.site.folder], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)
        self.assertNotEqual(ran.returncode, 0, ran.stderr)
        return ran.stderr

    def assert_refused(self, said, condition):
        """ledgerd does not start and says so; doctor names the condition and what to do; no byte changes."""
        before = contents(self.ledger)
        words = self.start()
        self.assertRegex(words, said)
        self.assertRegex(words, "runledger doctor|open it with the release|put (the file )?back")
        found = self.site.json("doctor")
        self.assertEqual(found["condition"], condition, found)
        self.assertTrue(found["next"])
        for command in (("doctor",), ("verify", "--offline")):
            self.assertGreater(self.site.run(*command, check=False).returncode, 0, command)
        self.assertEqual(contents(self.ledger), before, "refusing it changed it")
        return found

    def test_sound_copy_is_sound(self):
        self.assertEqual(self.site.json("doctor")["condition"], "whole")
        self.assertTrue(self.site.json("verify", "--offline")["ok"])

    def test_torn_tail(self):
        log = self.log()
        os.truncate(log, log.stat().st_size // 2)
        missing = rf"events? .*missing.*HEAD promises|{self.promised} events"
        found = self.assert_refused(missing, "short")
        self.assertIn("--accept-loss", " ".join(found["next"]))

    def test_flipped_bit_in_the_write_ahead_log(self):
        log = self.log()
        flip(log, log.stat().st_size // 2)
        self.assert_refused("missing", "short")

    def test_missing_write_ahead_log(self):
        for log in self.files("*.log"):
            log.unlink()
        self.assert_refused("missing", "short")

    def test_flipped_bit_in_each_table_file_is_found(self):
        for name in [path.name for path in self.files("*.sst")]:
            with self.subTest(file=name):
                self.setUp()
                flip(self.ledger / "db" / name, 24)  # rows come first
                before = contents(self.ledger)
                verified = self.site.run("verify", "--offline", check=False)
                self.assertGreater(verified.returncode, 0, verified.stdout)
                self.assertIn(name, verified.stdout + verified.stderr)
                self.assertLess(len(verified.stdout.splitlines()), 60, "one damage, not a flood")
                self.assertNotEqual(self.site.json("doctor")["condition"], "whole")
                self.assertEqual(contents(self.ledger), before)

    def test_missing_table_file(self):
        for name in [path.name for path in self.files("*.sst")]:
            with self.subTest(file=name):
                self.setUp()
                (self.ledger / "db" / name).unlink()
                before = contents(self.ledger)
                self.assertRegex(self.start(), rf"{name}.*; nothing was changed, 'runledger doctor'")
                found = self.site.json("doctor")
                self.assertIn(found["condition"], ("damaged", "derived-damaged", "unreadable"))
                self.assertIn(name, json.dumps(found))
                self.assertEqual(contents(self.ledger), before)

    def test_missing_manifest(self):
        for file in self.files("MANIFEST-*"):
            file.unlink()
        self.assert_refused("MANIFEST|manifest", "unreadable")

    def change(self, what):
        """With every checksum of the engine right."""
        subprocess.run([BIN / "change_ledger", self.ledger, what], check=True)

    def test_changed_event_blob_and_tree_are_told_apart(self):
        for what, said, condition in (("events", r"event \d+ does not have the bytes its tree was made of", "damaged"),
                                      ("blobs", r"blob [0-9a-f]{64}: its \d+ bytes have another SHA-256", "derived-damaged"),
                                      ("tree", r"tree", "derived-damaged")):
            with self.subTest(what=what):
                self.setUp()
                self.change(what)
                before = contents(self.ledger)
                verified = self.site.json("verify", "--offline")
                self.assertFalse(verified["ok"])
                self.assertRegex(" ".join(verified["findings"]), said)
                self.assertEqual(verified["first_bad"] is None, what != "events")
                found = self.site.json("doctor")
                self.assertEqual(found["condition"], condition, found)
                self.assertEqual(contents(self.ledger), before)

    def test_ledger_of_a_later_format(self):
        self.change("format")
        found = self.assert_refused("is of format 1000, this release reads up to 1; open it with the release that wrote it", "newer")
        self.assertIn("Use the release that wrote it", found["next"][0])

    def test_head_that_is_gone_torn_or_another_ledgers(self):
        head = self.ledger / "HEAD"
        other = SiteUnderTest()
        self.addCleanup(other.close)
        other.stop(other.start("ledgerd"))
        for content, said, condition in ((None, "HEAD is missing", "head-lost"), (b"x" * head.stat().st_size, "HEAD: none of its", "head-lost"),
                                         ((other.folder / "ledger/HEAD").read_bytes(), "HEAD", "other")):
            with self.subTest(condition=condition, said=said):
                self.setUp()
                head.unlink() if content is None else head.write_bytes(content)
                self.assert_refused(said, condition)

    def test_two_ledgerd_on_one_folder(self):
        first = self.site.start("ledgerd")
        self.assertRegex(self.start(), "another process has this ledger open")
        self.assertEqual(self.site.json("doctor")["condition"], "in-use")
        refused = self.site.run("verify", "--offline", check=False)
        self.assertEqual((refused.returncode, "another process" in refused.stderr), (2, True))
        self.site.run("pause", "MARI", "--comment", "the first one does not notice")
        self.assertTrue(self.site.json("verify")["ok"])
        self.site.stop(first)

    # ---- keys and checkpoints ----

    def test_key_of_another_ledger_signs_nothing(self):
        other = SiteUnderTest()
        self.addCleanup(other.close)
        other.stop(other.start("ledgerd"))
        for name in ("checkpoint.key", "checkpoint.pub"):
            shutil.copy(other.folder / "ledger" / name, self.ledger / name)
        keys, witness = contents(other.folder / "ledger"), contents(self.witness)
        ledgerd = self.site.start("ledgerd")
        try:
            self.assertRegex(self.site.json("status")["ledger_detail"], r"no checkpoint can be signed: .*checkpoint\.key")
            self.assertEqual(self.site.run("prove", "--checkpoint", check=False).returncode, 2)
            self.assertFalse(self.site.json("verify")["ok"])
            self.assertEqual(len(self.site.json("runs")), 1, "and it serves")
        finally:
            self.site.stop(ledgerd)
        self.assertEqual(contents(self.witness), witness)
        for name in ("checkpoint.key", "checkpoint.pub"):
            self.assertEqual((self.ledger / name).read_bytes(), keys[name])

    def test_checkpoint_signed_by_another_key(self):
        other = SiteUnderTest()
        self.addCleanup(other.close)
        other.instrument("MARI")
        other.stop(other.start("ledgerd"))
        witness = self.witness / "checkpoints"
        witness.write_bytes(witness.read_bytes() + (other.folder / "witness/checkpoints").read_bytes())
        before = witness.read_bytes()
        offline = self.site.json("verify", "--offline")
        self.assertFalse(offline["ok"])
        self.assertRegex(" ".join(offline["findings"]), r"checkpoint \d+ was signed by another key than .*; find out whose ledger wrote it")
        ledgerd = self.site.start("ledgerd")
        try:
            self.assertIn("was signed by another key", self.site.json("status")["ledger_detail"])
        finally:
            self.site.stop(ledgerd)
        self.assertEqual(witness.read_bytes(), before)

    # ---- exports ----

    def plain(self, *arguments):
        environment = {name: value for name, value in os.environ.items() if name != "RUNLEDGER_SITE"}
        return subprocess.run([BIN / "runledger", *map(str, arguments)], capture_output=True, text=True, cwd="/", env=environment, stdin=subprocess.DEVNULL)

    def assert_import_refused(self, content, said):
        file, into = self.site.folder / "bad.export", self.site.folder / "imported"
        file.write_bytes(content)
        ran = self.plain("import", file, into)
        self.assertEqual(ran.returncode, 2, ran.stderr)
        self.assertRegex(ran.stderr, said)
        self.assertIn(str(file), ran.stderr)
        self.assertEqual([path.name for path in self.site.folder.glob("imported*")], [])
        key = self.ledger / "checkpoint.pub"
        checked = subprocess.run([BIN / "runledger-verify", file, "--key", key], capture_output=True, text=True)
        self.assertEqual((checked.returncode, checked.stdout.startswith("NOT proven: ")), (1, True), checked.stdout)

    def test_export_cut_short_or_edited(self):
        sound = self.export.read_bytes()
        for size in (0, 10, len(sound) // 3, len(sound) - 1):
            with self.subTest(size=size):
                self.assert_import_refused(sound[:size], "cut short|is no export")
        for at in range(0, len(sound), len(sound) // 7):
            with self.subTest(at=at):
                edited = bytearray(sound)
                edited[at] ^= 1
                self.assert_import_refused(bytes(edited), r"changed|is no export|no record|stands where|cut short")

    def test_export_of_a_later_format(self):
        self.assert_import_refused(self.export.read_bytes().replace(b"runledger-export 1 ", b"runledger-export 2 ", 1), "read it with the release that wrote it")


if __name__ == "__main__":
    unittest.main()
