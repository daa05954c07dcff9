"""Proofs from a real site: made by the command, checked by the programs that need no ledger, and what tampering does to them."""

import base64
import hashlib
import json
import os
import subprocess
import unittest

from site_under_test import BIN, COPY_SCRIPT, SiteUnderTest, make_run


class P10ProofTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.site = SiteUnderTest()
        cls.addClassCleanup(cls.site.close)
        raw = cls.site.instrument("MARI", COPY_SCRIPT)
        cls.up = cls.site.start()
        make_run(raw / "MARI28001.nxs", 28001)
        cls.site.wait_for_states({("MARI", 28001): "succeeded"})
        cls.key = cls.site.folder / "ledger/checkpoint.pub"

    def file(self, name):
        return self.site.folder / name

    def check(self, file, *arguments, key=None):
        """What runledger-verify says: its exit code and JSON."""
        ran = subprocess.run([BIN / "runledger-verify", file, "--key", key or self.key, "--json", *arguments], capture_output=True, text=True)
        return ran.returncode, json.loads(ran.stdout) if ran.stdout else ran.stderr

    def test_running_ledger_is_verified(self):
        report = self.site.json("verify")
        self.assertTrue(report["ok"])
        self.assertEqual(set(report), {"ok", "events", "trusted", "root", "first_bad", "findings", "finding_count", "losses"})
        self.assertGreaterEqual(report["events"], 8)
        self.assertRegex(self.site.run("verify").stdout, r"^\d+ events verified, root [0-9a-f]{64}\n$")

    def test_run_is_proven_with_its_documents_and_without_the_ledger(self):
        proof = self.file("run.proof")
        self.assertRegex(self.site.run("prove", "MARI", 28001, "-o", proof).stdout, r"events and \d+ documents proven under a checkpoint")
        code, said = self.check(proof)
        self.assertEqual((code, said["ok"], said["problem"]), (0, True, None))
        self.assertEqual(said["events"][0]["kind"], "runDetected")
        self.assertIn("jobSucceeded", [event["kind"] for event in said["events"]])
        script = hashlib.sha256(COPY_SCRIPT.encode()).hexdigest()
        self.assertIn(script, [document["sha256"] for document in said["documents"]])
        words = subprocess.run([BIN / "runledger-verify", proof, "--key", self.key.read_text().strip()], capture_output=True, text=True)
        self.assertEqual(words.returncode, 0)
        self.assertRegex(words.stdout, r"^PROVEN: ")
        self.assertIn("MARI 28001 v1: attempt 1 started", words.stdout)

    def test_changed_proof_is_not_proven(self):
        proof = self.file("one.proof")
        self.site.run("prove", "3", "-o", proof)
        lines = proof.read_text().splitlines()
        at = next(i for i, line in enumerate(lines) if line.startswith("bytes "))
        event = bytearray(base64.b64decode(lines[at][6:]))
        event[-1] ^= 1
        lines[at] = "bytes " + base64.b64encode(event).decode()
        changed = self.file("changed.proof")
        changed.write_text("\n".join(lines) + "\n")
        code, said = self.check(changed)
        self.assertEqual((code, said["ok"]), (1, False))
        self.assertIn("event 3: the path does not lead to the root", said["problem"])
        changed.write_bytes(proof.read_bytes()[:-10])
        self.assertEqual(self.check(changed)[0], 1)

    def test_another_key_proves_nothing(self):
        proof = self.file("key.proof")
        self.site.run("prove", "1", "-o", proof)
        other = SiteUnderTest()
        self.addCleanup(other.close)
        other.start("ledgerd")
        exported = self.file("key.export")
        self.site.run("export", "-o", exported)
        for file in (proof, exported):
            code, said = self.check(file, key=other.folder / "ledger/checkpoint.pub")
            self.assertEqual((code, said["problem"]), (1, "checkpoint: none of the given keys has signed it"))
        for nonsense in ("nonsense", "x" * 300):
            self.assertEqual(self.check(proof, key=nonsense)[0], 2)

    def test_later_checkpoint_continues_an_earlier_one(self):
        old, proof = self.file("old.checkpoint"), self.file("consistency.proof")
        self.site.run("prove", "--checkpoint", "-o", old)
        self.site.run("pause", "MARI", "--comment", "one more event")
        self.site.run("resume", "MARI")
        self.site.run("prove", "--consistency", old, "-o", proof)
        code, said = self.check(proof)
        self.assertEqual((code, said["kind"]), (0, "consistency"))
        self.assertEqual(said["size"], said["from_size"] + 2)
        self.assertEqual(self.site.run("prove", "--key").stdout, self.key.read_text())

    def test_export_is_checked_without_the_ledger(self):
        whole, later, old = self.file("whole.export"), self.file("later.export"), self.file("export.checkpoint")
        self.site.run("prove", "--checkpoint", "-o", old)
        size = int(old.read_text().splitlines()[1])
        self.site.run("pause", "MARI", "--comment", "one more event")
        self.site.run("resume", "MARI")
        exported = self.site.json("export", "-o", whole)
        self.site.run("export", "--from", size + 1, "-o", later)
        code, said = self.check(whole, "--checkpoints", self.site.folder / "witness/checkpoints")
        self.assertEqual((code, said["kind"], said["from"], said["to"], said["root"]), (0, "export", 1, exported["to"], exported["root"]))
        self.assertGreater(said["documents"], 0)
        self.assertGreaterEqual(said["compared_checkpoints"], 2)
        code, said = self.check(later, "--checkpoints", old)
        self.assertEqual((code, said["from"], said["compared_checkpoints"]), (0, size + 1, 1))
        words = subprocess.run([BIN / "runledger-verify", later, "--key", self.key], capture_output=True, text=True).stdout
        self.assertRegex(words, rf"^PROVEN: events {size + 1} to {exported['to']} of runledger/.*\nIt begins behind event {size}:")

    def test_changed_export_is_not_proven_and_its_place_is_named(self):
        whole, changed = self.file("sound.export"), self.file("changed.export")
        self.site.run("export", "-o", whole)
        sound = whole.read_bytes()
        header = sound.index(b"\n")
        records, at = {}, header + 1
        while at < len(sound):
            records[sound[at : at + 1]] = at
            at += 50 + int.from_bytes(sound[at + 14 : at + 18], "big")
        for what, at, words in (("header", header // 2, "first line was changed"), ("event", records[b"E"] + 30, r"byte \d+: record \d+ was changed"),
                                ("document", records[b"B"] + 30, r"byte \d+: record \d+ was changed"),
                                ("checkpoint", records[b"T"] + 60, r"byte \d+: record \d+ was changed"),
                                ("cut", None, "cut short: it ends at byte")):
            with self.subTest(what=what):
                content = bytearray(sound[:-9])
                if at is not None:
                    content = bytearray(sound)
                    content[at] ^= 1
                changed.write_bytes(content)
                code, said = self.check(changed)
                self.assertEqual((code, said["ok"]), (1, False))
                self.assertRegex(said["problem"], words)
                self.assertRegex(subprocess.run([BIN / "runledger-verify", changed, "--key", self.key], capture_output=True, text=True).stdout,
                                 r"^NOT proven: \S+/changed.export: [a-z]")

    def test_checker_links_no_database(self):
        self.assertNotIn(b"librocksdb", (BIN / "runledger-verify").read_bytes())
        self.assertIn(b"librocksdb", (BIN / "runledger-verify-ledger").read_bytes())

    def test_standard_files_prove_the_same_to_others(self):
        proof, folder = self.file("tlog.proof"), self.file("tlog")
        self.site.run("prove", "2", "-o", proof)
        self.assertEqual(self.check(proof, "--tlog", folder)[0], 0)
        head, _, note = (folder / "2.tlog-proof").read_text().partition("\n\n")
        first, index, *path = head.splitlines()
        self.assertEqual((first, index), ("c2sp.org/tlog-proof@v1", "index 1"))
        # RFC 9162, section 2.1.3.2, written down again.
        size, root = int(note.splitlines()[1]), base64.b64decode(note.splitlines()[2])
        value = hashlib.sha256(b"\0" + (folder / "2.leaf").read_bytes()).digest()
        at, last = 1, size - 1
        for node in map(base64.b64decode, path):
            if at % 2 or at == last:
                value = hashlib.sha256(b"\1" + node + value).digest()
                while not at % 2 and at:
                    at, last = at // 2, last // 2
            else:
                value = hashlib.sha256(b"\1" + value + node).digest()
            at, last = at // 2, last // 2
        self.assertEqual(value, root)

    def test_tiles_hold_every_event(self):
        folder = self.file("tiles")
        said = self.site.json("prove", "--tiles", folder)
        size = int((folder / "checkpoint").read_text().splitlines()[1])
        self.assertEqual(said["size"], size)
        bundle = (folder / f"tile/entries/000.p/{size}").read_bytes()
        hashes = b""
        while bundle:
            length = int.from_bytes(bundle[:2], "big")
            hashes += hashlib.sha256(b"\0" + bundle[2 : 2 + length]).digest()
            bundle = bundle[2 + length :]
        self.assertEqual((folder / f"tile/0/000.p/{size}").read_bytes(), hashes)
        self.assertEqual(self.site.run("prove", "--tiles", folder, check=False).returncode, 2)

    def test_what_is_not_there_is_said(self):
        self.assertEqual(self.site.run("prove", "100000", check=False).returncode, 1)
        self.assertEqual(self.site.run("prove", check=False).returncode, 2)
        self.assertEqual(self.site.run("prove", "1", "--checkpoint", check=False).returncode, 2)


class P10OfflineTest(unittest.TestCase):
    def setUp(self):
        self.site = SiteUnderTest()
        self.addCleanup(self.site.close)
        self.site.instrument("MARI")
        ledgerd = self.site.start("ledgerd")
        self.site.run("pause", "MARI")
        self.refused_while_it_runs = self.site.run("verify", "--offline", check=False)
        self.site.stop(ledgerd)

    def test_stopped_ledger_is_verified_and_damage_is_named(self):
        self.assertEqual(self.refused_while_it_runs.returncode, 2)
        self.assertIn("another process has this ledger open", self.refused_while_it_runs.stderr)
        report = self.site.json("verify", "--offline")
        self.assertEqual((report["ok"], report["events"], report["first_bad"]), (True, 2, None))
        witness = self.site.folder / "witness/checkpoints"
        self.assertIn("\n2\n", witness.read_text())

        later = self.site.run("verify", "--offline", "--from", 3, check=False)
        self.assertEqual((later.returncode, later.stdout), (2, ""))
        self.assertIn("event 3 is not there: the log ends at event 2", later.stderr)

        # HEAD is taken back to nothing: what was promised is not known any more.
        head = self.site.folder / "ledger/HEAD"
        os.truncate(head, 0)
        report = self.site.json("verify", "--offline")
        self.assertEqual((report["ok"], report["root"]), (False, None))
        self.assertRegex(report["findings"][0], "HEAD: none of its 64 slots is whole")

    def test_rewritten_ledger_is_refused_by_its_witness_file(self):
        folder, witness = self.site.folder / "ledger", self.site.folder / "witness/checkpoints"
        before = witness.read_bytes()
        folder.rename(self.site.folder / "old")
        ledgerd = self.site.start("ledgerd")
        ran = self.site.run("prove", "--checkpoint", check=False)
        self.assertEqual(ran.returncode, 2)
        self.assertIn("was signed by another key", ran.stderr)
        self.assertIn("no checkpoint can be signed", self.site.json("status")["ledger_detail"])
        self.assertFalse(self.site.json("verify")["ok"])
        self.assertEqual(witness.read_bytes(), before)
        self.site.stop(ledgerd)


class WitnessPaceTest(unittest.TestCase):
    def setUp(self):
        self.site = SiteUnderTest()
        self.addCleanup(self.site.close)
        self.site.instrument("MARI", COPY_SCRIPT)

    def test_witness_file_grows_by_itself_when_the_log_has_grown(self):
        self.site.settings += '[witness]\nevery = "1s"\n'
        ledgerd = self.site.start("ledgerd")
        witness = self.site.folder / "witness/checkpoints"
        for word in ("pause", "resume"):
            head = self.site.json(word, "MARI", "--comment", "one more event")["event"]
            self.site.until(lambda: witness.exists() and f"\n{head}\n" in witness.read_text(), f"a checkpoint of {head} events", ledgerd)


if __name__ == "__main__":
    unittest.main()
