"""Promise P8 with real processes: a directory (slapd), ledgerd over TLS, people who log in, and what each of them gets."""

import concurrent.futures
import json
import os
import re
import subprocess
import sys
import unittest

from site_under_test import BIN, COPY_SCRIPT, PATIENCE_SECONDS, SOURCE, SiteUnderTest, make_run

sys.path.insert(0, str(SOURCE / "tests" / "support"))
import slapd_under_test  # noqa: E402
import make_facility  # noqa: E402  (its folder comes with the line before)

ROLES = """
[[access.role]]
role = "member"
groups = ["IPTS-{experiment}"]
experiment = "IPTS-{experiment}"
[[access.role]]
role = "scientist"
groups = ["sns_{instrument}_team"]
[[access.role]]
role = "operator"
groups = ["sns_operators"]
[[access.role]]
role = "auditor"
groups = ["sns_auditors"]
[[access.role]]
role = "administrator"
groups = ["snsadmin"]
[[access.role]]
role = "administrator"
accounts = ["trent"]
"""


class Person:
    """Somebody at a machine of their own: a home folder, and the ledger's address."""

    def __init__(self, case, name):
        self.case, self.name = case, name
        self.home = case.site.folder / f"home-{len(name)}-{abs(hash(name)) % 10**9}"
        self.home.mkdir(exist_ok=True)

    def run(self, *arguments, check=True, stdin=None):
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("RUNLEDGER", "XDG"))}
        environment |= {"HOME": str(self.home), "XDG_STATE_HOME": str(self.home / "state")}
        result = subprocess.run([BIN / "runledger", "--connect", self.case.address, "--tls-ca", self.case.slapd.folder / "ca.pem", *map(str, arguments)],
                                capture_output=True, text=True, input=stdin if stdin is not None else "", timeout=PATIENCE_SECONDS, env=environment, cwd=self.home)
        if check and result.returncode != 0:
            raise AssertionError(f"{self.name}: runledger {' '.join(map(str, arguments))} ended with {result.returncode}:\n{result.stderr}\n{self.case.site.logs()}")
        return result

    def json(self, *arguments):
        result = self.run("--json", *arguments, check=False)
        if result.returncode > 1:
            raise AssertionError(f"{self.name}: {arguments}: {result.stderr}\n{self.case.site.logs()}")
        return json.loads(result.stdout) if result.stdout.strip() else []

    def log_in(self, password=None, check=True):
        return self.run("login", self.name, "--password-fd", "0", stdin=(password or make_facility.password_of(self.name)) + "\n", check=check)

    def runs(self):
        return sorted((run["instrument"], run["run_number"]) for run in self.json("runs"))


class AccessSite(unittest.TestCase):
    """A site with [access] and its directory, three reduced runs."""

    REFRESH = "1h"

    def setUp(self):
        self.slapd = slapd_under_test.SlapdUnderTest()
        self.addCleanup(self.slapd.close)
        self.site = SiteUnderTest()
        self.addCleanup(self.site.close)
        self.raw = {name: self.site.instrument(name, script=COPY_SCRIPT) for name in ("MARI", "LET")}
        folder = self.slapd.folder
        self.site.facility = 'listen = ["unix:run/ledger.sock", "tls:127.0.0.1:0"]\n'
        self.site.settings += (f'[access]\ncertificate = "{folder}/server.pem"\nkey = "{folder}/server.key"\nrefresh = "{self.REFRESH}"\n'
                               f'[access.ldap]\nservers = ["{self.slapd.tls_url}"]\nca = "{folder}/ca.pem"\n'
                               f'bind_name = "cn=reader,{make_facility.SERVICES}"\nbind_password_file = "{folder}/reader_password"\n'
                               f'user_base = "{make_facility.PEOPLE}"\ngroup_base = "{make_facility.GROUPS}"\n'
                               f'connect_time_limit = "1s"\nanswer_time_limit = "1s"\n' + ROLES)
        self.start_daemons()
        self.address = "tls:" + re.findall(r"listening at tls:(\S+)", self.site.logs())[-1]
        make_run(self.raw["MARI"] / "MARI1.nxs", 1, experiment="IPTS-2001")
        make_run(self.raw["MARI"] / "MARI2.nxs", 2, experiment="IPTS-2003")
        make_run(self.raw["LET"] / "LET5.nxs", 5, experiment="IPTS-2003")
        self.site.wait_for_states({("MARI", 1): "succeeded", ("MARI", 2): "succeeded", ("LET", 5): "succeeded"})

    def person(self, name, log_in=True):
        person = Person(self, name)
        if log_in:
            person.log_in()
        return person

    def start_daemons(self):
        self.site.start()


class AccessTest(AccessSite):
    # ---- what each gets

    def test_each_sees_what_the_directory_grants(self):
        seen = {name: self.person(name).runs() for name in ("peggy", "olivia", "rupert", "carol", "judy", "bob", "trent")}
        everything = [("LET", 5), ("MARI", 1), ("MARI", 2)]
        self.assertEqual(seen["peggy"], [("MARI", 1)], "member of IPTS-2001")
        self.assertEqual(seen["olivia"], [("MARI", 1)], "by the consortium, a group in a group")
        self.assertEqual(seen["rupert"], [("LET", 5), ("MARI", 2)])
        self.assertEqual(seen["judy"], everything, "auditor")
        self.assertEqual(seen["bob"], everything, "operator")
        self.assertEqual(seen["trent"], everything, "administrator by the site file")

    def test_whoami_says_which_group_gives_each_role(self):
        peggy = self.person("peggy")
        said = peggy.json("whoami")
        self.assertEqual(said["name"], "peggy")
        grants = {(grant["role"], grant.get("experiment"), grant["group"]) for grant in said["roles"]}
        self.assertIn(("member", "IPTS-2001", "IPTS-2001"), grants)
        self.assertNotIn(make_facility.password_of("peggy"), json.dumps(said))

    def test_hidden_runs_are_as_if_they_were_not_there(self):
        peggy = self.person("peggy")
        hidden, missing = (peggy.run("show", name, check=False) for name in ("MARI/2", "MARI/3"))
        self.assertEqual((hidden.returncode, missing.returncode), (1, 1))
        self.assertEqual(hidden.stderr.replace("2", "N"), missing.stderr.replace("3", "N"))
        for command in ("log", "trace", "explain", "rerun"):
            hidden, missing = (peggy.run(command, name, check=False) for name in ("MARI/2", "MARI/3"))
            self.assertNotEqual(hidden.returncode, 0, command)
            self.assertEqual((hidden.returncode, hidden.stdout, hidden.stderr.replace("2", "N")), (missing.returncode, missing.stdout, missing.stderr.replace("3", "N")))
        self.assertEqual(sum(peggy.json("status")["counts"].values()), 1)

    def test_wrong_password_and_unknown_user_are_one_answer(self):
        wrong = self.person("peggy", log_in=False).log_in("not it", check=False)
        unknown = self.person("whoever", log_in=False).log_in("not it", check=False)
        empty = self.person("peggy", log_in=False).run("login", "peggy", "--password-fd", "0", stdin="\n", check=False)
        self.assertEqual((wrong.returncode, unknown.returncode), (2, 2))
        self.assertEqual(wrong.stderr, unknown.stderr)
        self.assertNotEqual(empty.returncode, 0)

    def test_odd_names_and_injections_are_themselves_or_nobody(self):
        for name in make_facility.ODD_NAMES:
            self.assertEqual(self.person(name).json("whoami")["name"], name)
        for name in ("*", "peggy)(uid=*", "peggy*", "\\70eggy"):
            self.assertEqual(self.person(name, log_in=False).log_in(make_facility.password_of("peggy"), check=False).returncode, 2, name)

    def test_members_rerun_their_own_and_change_nothing_else(self):
        peggy = self.person("peggy")
        peggy.run("rerun", "MARI/1")
        self.site.wait_for(lambda: self.site.runs()[("MARI", 1)]["version"] == 2 and self.site.runs()[("MARI", 1)]["state"] == "succeeded", "the second version")
        version = self.site.json("show", "MARI/1")["versions"][1]
        self.assertEqual(version["requested_by"], "peggy")
        for command in (("pause", "MARI"), ("vars", "set", "MARI", "mon=2", "--default"), ("admin", "rebuild"), ("verify",)):
            refused = peggy.run(*command, check=False)
            self.assertEqual(refused.returncode, 2, (command, refused.stderr))
            self.assertIn("peggy may not", refused.stderr, command)
        judy = self.person("judy")
        denied = judy.json("audit", "denials")
        self.assertIn("pause_instrument", {denial["action"] for denial in denied})
        self.assertEqual({denial["account"] for denial in denied}, {"peggy"})
        did = judy.json("audit", "actions", "peggy")
        asked = [action for action in did if action["kind"] == "reductionRequested"]
        self.assertEqual([action["right"] for action in asked], ["member of experiment IPTS-2001 by group IPTS-2001"])

    # ---- tokens

    def test_logout_ends_the_token_and_tokens_are_bounded_by_their_scope(self):
        bob = self.person("bob")
        token = bob.run("token", "create", "--label", "display", "--read-only", "--instrument", "MARI").stdout.strip()
        self.assertNotIn(token, bob.run("token", "list").stdout)
        file = self.site.folder / "display.token"
        file.touch(mode=0o600)
        file.write_text(token + "\n")
        display = self.person("display", log_in=False)
        with_token = ("--token-file", file)
        self.assertEqual(sorted((run["instrument"], run["run_number"]) for run in display.json(*with_token, "runs")), [("MARI", 1), ("MARI", 2)])
        self.assertIn("read-only", display.run(*with_token, "pause", "MARI", check=False).stderr)
        listed = {entry["label"]: entry["id"] for entry in bob.json("token", "list")}
        bob.run("token", "revoke", listed["display"])
        self.assertEqual(display.run(*with_token, "runs", check=False).returncode, 2)
        bob.run("logout")
        self.assertEqual(bob.run("runs", check=False).returncode, 2)

    def test_worker_elsewhere_has_a_token_of_its_own(self):
        admin = self.person("alice")
        file = self.site.folder / "node7.token"
        admin.run("token", "create", "--daemon", "workerd/node7", "--label", "node 7", "--output", file)
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        stolen = self.person("thief", log_in=False)
        with_token = ("--token-file", file)
        self.assertEqual(stolen.json(*with_token, "runs"), [])
        self.assertEqual(stolen.run(*with_token, "show", "MARI/1", check=False).returncode, 1)
        self.assertEqual(stolen.run(*with_token, "vars", "set", "MARI", "mon=2", "--default", check=False).returncode, 2)

    # ---- the directory in trouble

    def test_group_change_reaches_whoever_is_logged_in(self):
        peggy = self.person("peggy")
        before = self.site.json("status")["head"]
        self.slapd.change(f"dn: {make_facility.group('IPTS-2001')}\nchangetype: modify\ndelete: member\nmember: {make_facility.person('peggy')}\n")
        self.site.run("admin", "refresh-roles")
        self.assertEqual(peggy.runs(), [])
        judy = self.person("judy")
        now = {entry["account"] for entry in judy.json("audit", "who-could-see", "IPTS-2001")}
        then = {entry["account"] for entry in judy.json("audit", "who-could-see", "IPTS-2001", "--at", before)}
        self.assertNotIn("peggy", now)
        self.assertIn("peggy", then)
        self.assertIn("judy", now)

    def test_account_that_is_gone_is_out(self):
        peggy = self.person("peggy")
        self.slapd.change(f"dn: {make_facility.person('peggy')}\nchangetype: delete\n")
        self.site.run("admin", "refresh-roles")
        self.assertEqual(peggy.run("runs", check=False).returncode, 2)

    def test_directory_down_lets_tokens_live_and_nobody_new_in(self):
        peggy = self.person("peggy")
        self.slapd.stop()
        self.assertEqual(peggy.runs(), [("MARI", 1)])
        rupert = self.person("rupert", log_in=False)
        refused = rupert.log_in(check=False)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("directory", refused.stderr)
        self.slapd.start()
        rupert.log_in()
        self.assertEqual(rupert.runs(), [("LET", 5), ("MARI", 2)])

    def test_directory_that_stalls_holds_up_nobody_else(self):
        peggy = self.person("peggy")
        self.slapd.suspend()
        try:
            with concurrent.futures.ThreadPoolExecutor() as pool:
                refused = pool.submit(self.person("rupert", log_in=False).log_in, check=False)
                self.assertEqual(peggy.runs(), [("MARI", 1)])
                self.assertEqual(refused.result().returncode, 2)
        finally:
            self.slapd.resume()

    def test_directory_that_suddenly_grants_nothing_is_not_believed(self):
        peggy = self.person("peggy")
        for number in list(range(1001, 1031)):
            self.slapd.change(f"dn: {make_facility.group(f'IPTS-{number}')}\nchangetype: delete\n")
        for instrument in make_facility.INSTRUMENTS:
            self.slapd.change(f"dn: {make_facility.group(f'sns_{instrument}_team')}\nchangetype: delete\n")
        refused = self.site.run("admin", "refresh-roles", check=False)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("--believe", refused.stderr)
        self.assertEqual(peggy.runs(), [("MARI", 1)])
        self.site.run("admin", "refresh-roles", "--believe")
        self.assertEqual(peggy.runs(), [("MARI", 1)])
        self.assertEqual([(role["role"], role["group"]) for role in self.person("alice").json("whoami")["roles"]], [("administrator", "snsadmin")])


class RefreshTest(AccessSite):
    REFRESH = "1s"

    def test_group_change_reaches_a_session_that_lives_by_itself(self):
        peggy = self.person("peggy")
        self.assertEqual(peggy.runs(), [("MARI", 1)])
        self.slapd.change(f"dn: {make_facility.group('IPTS-2001')}\nchangetype: modify\ndelete: member\nmember: {make_facility.person('peggy')}\n")
        self.site.wait_for(lambda: not peggy.runs(), "peggy's role is gone")


class DaemonsElsewhereTest(AccessSite):
    """The worker has a token of its own and comes over the network; everything else runs as the ledger's account."""

    def start_daemons(self):
        self.site.start("ledgerd")
        for program in ("monitord", "coordinatord"):
            self.site.start(program)
        token = self.site.folder / "node7.token"
        self.site.run("token", "create", "--daemon", "workerd/node7", "--label", "node 7", "--output", token)
        address = "tls:" + re.findall(r"listening at tls:(\S+)", self.site.logs())[-1]
        self.site.start("workerd", "--name", "node7", "--connect", address, "--tls-ca", self.slapd.folder / "ca.pem", "--token-file", token)

    def test_worker_with_a_token_reduces_runs(self):
        # setUp has waited for the three runs.
        attempts = self.site.json("show", "MARI/1")["versions"][0]["attempts"]
        self.assertEqual([attempt["worker"] for attempt in attempts], ["node7"])
        judy = self.person("judy")
        self.assertIn("workerd/node7", {daemon["name"] for daemon in judy.json("status")["daemons"]})
        self.assertEqual(judy.json("audit", "denials"), [])


if __name__ == "__main__":
    unittest.main()
