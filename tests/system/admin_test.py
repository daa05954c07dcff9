"""What whoever looks after a ledger does, on real processes: views folded again, documents erased, commands forgotten."""

import hashlib
import unittest

from site_under_test import COPY_SCRIPT, SiteUnderTest, make_run


class AdminTest(unittest.TestCase):
    def setUp(self):
        self.site = SiteUnderTest()
        self.addCleanup(self.site.close)
        raw = self.site.instrument("MARI", script=COPY_SCRIPT)
        self.site.settings += '[retention]\ncommands = "90d"\nlogs = "2y"\n'
        self.site.start()
        make_run(raw / "MARI28001.nxs", 28001)
        self.site.wait_for_states({("MARI", 28001): "succeeded"})

    def test_views_are_checked_and_folded_again_while_the_site_is_up(self):
        before = self.site.json("show", "MARI/28001")
        checked = self.site.run("admin", "rebuild", "--check")
        self.assertEqual(checked.stdout, "every row is what the log leads to\n")
        self.site.run("admin", "rebuild", "runs", "jobs")
        self.assertEqual(self.site.json("admin", "rebuild", "--check"), {"checked": True, "ok": True, "findings": []})
        self.assertEqual(self.site.json("show", "MARI/28001"), before)
        unknown = self.site.run("admin", "rebuild", "rnus", check=False)
        self.assertEqual(unknown.returncode, 1)
        self.assertIn("rnus: there is no such view; there are runs, files", unknown.stderr)

    def test_status_says_what_is_forgotten_by_itself(self):
        details = {daemon["name"]: daemon["detail"] for daemon in self.site.json("status")["daemons"]}
        self.assertEqual(details["ledgerd/retention"], "forgets records of commands after 90 days, logs after 730 days; last: nothing yet")

    def test_erased_documents_are_gone_and_every_command_says_by_whom(self):
        log = self.site.run("log", "MARI/28001").stdout
        self.assertIn("reducing", log)
        self.site.run("admin", "erase", "MARI/28001", "--log", "--reason", "names a person")
        asked = self.site.run("log", "MARI/28001", check=False)
        self.assertEqual((asked.returncode, asked.stdout), (1, ""))
        self.assertRegex(asked.stderr, r"document [0-9a-f]{64}: erased by event \d+ \(.*\): names a person")

        attempt = self.site.json("show", "MARI/28001")["versions"][0]["attempts"][0]
        self.assertEqual(attempt["log_sha256"], hashlib.sha256(log.encode()).hexdigest(), "its name stays on record")
        self.site.run("admin", "erase", attempt["environment_sha256"], "--reason", "names a host")
        for command in ("show", "trace"):
            shown = self.site.run(command, "MARI/28001")
            self.assertIn("environment: document " + attempt["environment_sha256"] + ": erased by event", shown.stderr)
        self.assertEqual(self.site.run("admin", "rebuild", "--check").returncode, 0)

        again = self.site.run("admin", "erase", attempt["environment_sha256"], "--reason", "names a host", check=False)
        self.assertEqual(again.returncode, 1)
        wrong = self.site.run("admin", "erase", "MARI/28001", "--reason", "names a person", check=False)
        self.assertEqual(wrong.returncode, 2)
        self.assertIn("is no SHA-256 of 64 hex digits", wrong.stderr)

    def test_commands_are_forgotten_up_to_an_age(self):
        pause = ("pause", "MARI", "--comment", "first", "--command-id", "mine")
        first = self.site.json(*pause)
        self.assertEqual(self.site.json(*pause), {**first, "repeated": True})
        self.site.run("resume", "MARI")
        for age in ("90d", "300y", "1000y", "1000000000d"):
            kept = self.site.run("admin", "forget", "--older-than", age, "--reason", "tidy", check=False)
            self.assertEqual((kept.returncode, kept.stderr), (1, "runledger: nothing in the log is that old\n"), age)
        self.assertTrue(self.site.json(*pause)["repeated"])
        self.site.run("admin", "forget", "--older-than", "0s", "--reason", "tidy")
        second = self.site.json(*pause)
        self.assertFalse(second["repeated"])
        self.assertGreater(second["event"], first["event"])


if __name__ == "__main__":
    unittest.main()
