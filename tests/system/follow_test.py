"""A copy follows its source: it catches up, comes along, survives kills on both sides, and believes nothing that contradicts what it holds."""

import shutil
import signal
import subprocess
import unittest

from site_under_test import BIN, COPY_SCRIPT, PATIENCE_SECONDS, SiteUnderTest, make_run


class Copy(SiteUnderTest):
    """A site with [follow]."""

    def __init__(self, source, key):
        super().__init__()
        (self.folder / "source.pub").write_text(key)
        self.settings = f'[follow]\naddress = "unix:{source.folder}/run/ledger.sock"\npublic_key_file = "source.pub"\n'

    def follow(self):
        return self.json("status")["follow"]

    def until_state(self, process, state, events=0):
        def reached():
            status = self.json("status")
            return status["follow"]["state"] == state and status["head"] >= events

        self.until(reached, f"{state} with {events} events", process)


class FollowTest(unittest.TestCase):
    def setUp(self):
        self.source = SiteUnderTest()
        self.addCleanup(self.source.close)
        self.raw = self.source.instrument("MARI", COPY_SCRIPT)
        self.up = self.source.start()
        self.reduce(1, 3)
        self.copy = Copy(self.source, self.source.run("prove", "--key").stdout)
        self.addCleanup(self.copy.close)

    def reduce(self, first, last):
        for number in range(first, last + 1):
            make_run(self.raw / f"MAR{number:05}.nxs", number)
        self.source.wait_for_states({("MARI", number): "succeeded" for number in range(first, last + 1)})

    def head(self):
        return self.source.json("status")["head"]

    def refused(self, *arguments):
        result = self.copy.run(*arguments, check=False)
        self.assertEqual(result.returncode, 2, result.stdout)
        self.assertIn(str(self.source.folder), result.stderr)

    def test_copy_catches_up_answers_alike_and_comes_along(self):
        ledgerd = self.copy.start("ledgerd")
        self.copy.until_state(ledgerd, "following", self.head())
        self.assertEqual(self.copy.json("runs"), self.source.json("runs"))
        self.assertEqual(self.copy.json("trace", "MARI", "2"), self.source.json("trace", "MARI", "2"))
        self.assertEqual(self.copy.run("log", "MARI/2/v1").stdout, self.source.run("log", "MARI/2/v1").stdout)
        follow = self.copy.follow()
        self.assertEqual((follow["behind"], follow["checkpoint_size"], follow["detail"]), (0, follow["source_head"], None))
        self.assertIn("everything is here", self.copy.run("status").stdout)

        # Live: the copy's own event stream carries what happens at the source.
        self.reduce(4, 5)
        self.copy.wait_for_states({("MARI", 4): "succeeded", ("MARI", 5): "succeeded"})
        self.copy.until_state(ledgerd, "following", self.head())
        self.assertTrue(self.copy.json("verify")["ok"])
        proof = self.copy.folder / "proof"
        self.copy.run("prove", "MARI", "4", "-o", proof)
        key = self.source.folder / "key"
        self.source.run("prove", "--key", "-o", key)
        checked = subprocess.run([BIN / "runledger-verify", "--key", key, proof], capture_output=True, text=True)
        self.assertEqual(checked.returncode, 0, checked.stderr)

        self.refused("rerun", "MARI", "1")
        self.refused("pause", "MARI")
        self.refused("vars", "set", "MARI", "mon=2", "--default")
        self.copy.stop(ledgerd)

    def test_killed_copy_goes_on_where_it_was(self):
        ledgerd = self.copy.start("ledgerd")
        for number in range(4, 7):
            self.reduce(number, number)
            self.copy.stop(ledgerd, signal.SIGKILL)
            ledgerd = self.copy.start("ledgerd")
        self.copy.until_state(ledgerd, "following", self.head())
        self.assertEqual(self.copy.json("runs"), self.source.json("runs"))
        self.assertTrue(self.copy.json("verify")["ok"])

    def test_lost_source_is_said_and_found_again(self):
        copy = self.copy.start()  # `up` follows too
        self.copy.until_state(copy, "following", self.head())
        runs = self.copy.json("runs")
        self.source.stop(self.up, signal.SIGKILL)
        self.copy.until_state(copy, "unreachable")
        self.assertEqual(self.copy.json("runs"), runs)
        self.copy.until(lambda: "no ledger is listening" in self.copy.json("status")["ledger_detail"], "why", copy)
        self.up = self.source.start()
        self.reduce(4, 4)
        self.copy.until_state(copy, "following", self.head())
        self.assertEqual(self.copy.json("runs"), self.source.json("runs"))

    def test_older_source_is_refused_and_restored_from_its_copy(self):
        backup = self.source.folder / "backup"
        self.source.run("admin", "backup", backup)
        self.reduce(4, 4)
        ledgerd = self.copy.start("ledgerd")
        head = self.head()
        self.copy.until_state(ledgerd, "following", head)
        runs = self.copy.json("runs")

        # Somebody puts the old backup in place, and the site goes on from there.
        self.source.stop(self.up, signal.SIGKILL)  # nothing is recorded any more that the copy does not have
        ledger, witness = self.source.folder / "ledger", self.source.folder / "witness"
        witness.rename(self.source.folder / "witness-kept")
        for folder in (self.source.folder / "output", ledger):
            shutil.rmtree(folder)
        shutil.copytree(backup, ledger)
        self.up = self.source.start()
        self.reduce(7, 7)
        self.copy.until_state(ledgerd, "stopped")
        status = self.copy.json("status")
        self.assertEqual((status["ledger"], status["head"]), ("stopped-following", head))
        self.assertIn("STOPPED", self.copy.run("status").stdout)
        self.assertEqual(self.copy.json("runs"), runs)
        self.copy.stop(ledgerd)

        # The copy was right: the source becomes what it was, private key included.
        self.source.stop(self.up)
        shutil.rmtree(witness)
        (self.source.folder / "witness-kept").rename(witness)
        restored = subprocess.run([BIN / "runledger", "doctor", ledger, "--restore", self.copy.folder / "ledger"], capture_output=True, text=True,
                                  timeout=PATIENCE_SECONDS)
        self.assertEqual(restored.returncode, 0, restored.stderr)
        self.assertNotIn("checkpoint.key", restored.stderr)
        self.up = self.source.start()
        self.assertEqual(self.source.json("status")["ledger_detail"], None)
        self.assertTrue(self.source.json("verify")["ok"])
        ledgerd = self.copy.start("ledgerd")
        self.copy.until_state(ledgerd, "following", self.head())
        self.assertTrue(self.copy.json("verify")["ok"])

    def test_daemons_are_refused(self):
        ledgerd = self.copy.start("ledgerd")
        for program in ("monitord", "coordinatord", "workerd"):
            daemon = self.copy.start(program)
            log = self.copy.folder / f"{program}.log"
            self.copy.until(lambda: "is a copy of the one at" in log.read_text(), f"{program} is refused", ledgerd)
            if daemon.poll() is None:
                self.copy.stop(daemon)
        self.assertEqual(self.copy.json("status")["daemons"], [])

    def test_mistakes_are_named(self):
        def start():
            self.copy.write_site()
            ended = subprocess.run([BIN / "ledgerd", "--site", self.copy.folder], capture_output=True, text=True, timeout=PATIENCE_SECONDS)
            self.assertEqual(ended.returncode, 2)
            return ended.stderr

        settings = self.copy.settings
        self.copy.settings = settings.replace("source.pub", "nowhere.pub")
        self.assertIn("prove --key --output", start())
        self.copy.settings = settings.replace('public_key_file = "source.pub"', 'public_key = "runledger/abc"')
        self.assertIn("[follow] public_key", start())
        self.copy.settings = settings
        self.copy.instrument("MARI")
        self.assertIn("take the [[instrument]] tables out", start())


if __name__ == "__main__":
    unittest.main()
