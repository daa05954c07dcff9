"""Clients that mean harm, against a real ledgerd over TLS: each is cut off, while an honest one works on and gets right answers.

Strangers are made here, byte by byte. Who has a token and misuses it is `peer_of_ledgerd`, and so is the honest one.
"""

import getpass
import os
import pathlib
import re
import resource
import socket
import ssl
import struct
import subprocess
import sys
import unittest

from site_under_test import BIN, PATIENCE_SECONDS, SOURCE, SiteUnderTest, make_run

sys.path.insert(0, str(SOURCE / "tests" / "support"))
import slapd_under_test  # noqa: E402

# Large, so that few answers are much.
SCRIPT = "import shutil\n\ndef main(input_file, output_dir):\n    shutil.copy(input_file, output_dir)\n" + "# a long story\n" * 60_000
MOST_MORE_MEMORY = 192 << 20
MOST_LINES = 80  # of the daemon log, for one kind of harm

# A Bootstrap message of Cap'n Proto: one segment of 5 words, a Message whose member 8 is a Bootstrap with question 0.
BOOTSTRAP = struct.pack("<IIQ", 0, 5, 0x0001_0001 << 32) + struct.pack("<QQQQ", 8, 0x0001_0001 << 32, 0, 0)


def memory_of(pid):
    return int(re.search(r"VmRSS:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) << 10


class HostileTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        cls.addClassCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        cls.connections = min(5000, hard - 200)
        cls.site = SiteUnderTest()
        cls.addClassCleanup(cls.site.close)
        folder = cls.site.folder
        slapd_under_test.make_certificates(folder)
        raw = cls.site.instrument("MARI", script=SCRIPT)
        cls.site.facility = 'listen = ["unix:run/ledger.sock", "tls:127.0.0.1:0"]\n'
        cls.site.settings += (f'[access]\ncertificate = "{folder}/server.pem"\nkey = "{folder}/server.key"\n'
                              f'[[access.role]]\nrole = "administrator"\naccounts = ["{getpass.getuser()}"]\n'
                              f'[[access.role]]\nrole = "scientist"\ninstrument = "MARI"\naccounts = ["{getpass.getuser()}"]\n')
        cls.ledgerd = cls.site.start("ledgerd")
        for daemon in ("monitord", "coordinatord", "workerd"):
            cls.site.start(daemon)
        cls.address = re.findall(r"listening at tls:(\S+)", cls.site.logs())[-1]
        cls.port = int(cls.address.rsplit(":", 1)[1])
        make_run(raw / "MARI1.nxs", 1)
        cls.site.wait_for_states({("MARI", 1): "succeeded"})
        cls.honest = cls.peer("work")
        cls.addClassCleanup(cls.honest.communicate)
        cls.honest.stdout.readline()  # it is in
        cls.memory = memory_of(cls.ledgerd.pid)

    @classmethod
    def token(cls, label):
        file = cls.site.folder / f"{label}.token"
        cls.site.run("token", "create", "--label", label, "--output", file)
        return file

    @classmethod
    def peer(cls, what):
        return subprocess.Popen([BIN / "peer_of_ledgerd", cls.address, cls.site.folder / "ca.pem", cls.token(what), what], text=True,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def outcome(self, what):
        with self.peer(what) as peer:
            said, _ = peer.communicate(timeout=PATIENCE_SECONDS * 3)
        self.assertEqual(peer.returncode, 0)
        return said.strip()

    # ---- strangers

    def connect(self, source="127.0.0.1"):
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS, source_address=(source, 0))

    def shake_hands(self, source="127.0.0.1"):
        context = ssl.create_default_context(cafile=self.site.folder / "ca.pem")
        return context.wrap_socket(self.connect(source), server_hostname="127.0.0.1", suppress_ragged_eofs=True)

    def close(self, connection):
        """With a goodbye, where there still is somebody to hear it."""
        try:
            connection.unwrap()
        except OSError:
            pass
        connection.close()

    def expect_end(self, connection):
        """Reads until the other side has ended."""
        try:
            while connection.recv(1 << 16):
                pass
        except (ConnectionError, ssl.SSLError):
            pass
        connection.close()

    def send_until_cut_off(self, connection, pieces):
        """One small piece after the other; each waits a little for the other side, which is to end before the pieces do."""
        connection.settimeout(0.02)
        for piece in pieces:
            try:
                connection.sendall(piece)
                if not connection.recv(1 << 16):
                    return connection.close()
            except TimeoutError:
                continue
            except (ConnectionError, ssl.SSLError):
                return connection.close()
        self.fail("the whole message was let in")

    # ---- what all of them must leave as it was

    def setUp(self):
        self.lines = self.log().count("\n")

    def tearDown(self):
        self.honest.stdin.write("\n")
        self.honest.stdin.flush()
        self.assertRegex(self.honest.stdout.readline(), r"^\d+$", "the honest client was disturbed")
        self.assertEqual(list(self.site.runs()), [("MARI", 1)])
        token = self.site.folder / "work.token"
        over_tls = self.site.run("--connect", f"tls:{self.address}", "--tls-ca", self.site.folder / "ca.pem", "--token-file", token, "show", "MARI/1")
        self.assertIn("succeeded", over_tls.stdout)
        self.assertIsNone(self.ledgerd.poll())
        self.assertLess(memory_of(self.ledgerd.pid), self.memory + MOST_MORE_MEMORY)
        self.assertLess(self.log().count("\n") - self.lines, MOST_LINES)

    def log(self):
        return (self.site.folder / "ledgerd.log").read_text(errors="replace")

    # ---- who does not speak TLS 1.3

    def test_random_bytes(self):
        for _ in range(100):
            connection = self.connect()
            connection.sendall(os.urandom(3000))
            self.expect_end(connection)

    def test_plain_messages_on_the_tls_port(self):
        connection = self.connect()
        connection.sendall(BOOTSTRAP)
        self.expect_end(connection)

    def test_http(self):
        connection = self.connect()
        connection.sendall(b"GET / HTTP/1.1\r\nHost: ledger\r\n\r\n")
        self.expect_end(connection)

    def test_tls_of_yesterday(self):
        context = ssl.create_default_context(cafile=self.site.folder / "ca.pem")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with self.assertRaises(ssl.SSLError):
            context.wrap_socket(self.connect(), server_hostname="127.0.0.1")

    def test_handshake_byte_by_byte(self):
        hello = bytes([22, 3, 1, 16, 0, 1, 0, 15, 252, 3, 3]) + bytes(4085)
        self.send_until_cut_off(self.connect(), (hello[i:i + 1] for i in range(len(hello))))

    # ---- who speaks it and is nobody

    def test_message_byte_by_byte(self):
        message = struct.pack("<II", 0, 500) + bytes(4000)
        self.send_until_cut_off(self.shake_hands(), (message[i:i + 1] for i in range(len(message))))

    def test_message_of_a_stranger_that_is_larger_than_a_login(self):
        with self.shake_hands() as connection, self.assertRaises(OSError):
            connection.sendall(struct.pack("<II", 0, 4 << 20) + bytes(32 << 20))

    def test_message_over_the_limit(self):
        connection = self.shake_hands()
        connection.sendall(struct.pack("<II", 0, 1 << 31))
        self.expect_end(connection)

    def test_garbage_behind_the_handshake(self):
        for _ in range(100):
            connection = self.shake_hands()
            connection.sendall(bytes([255] * 8) + os.urandom(1000))
            self.expect_end(connection)

    def test_streams_that_are_cut(self):
        for end in range(1, len(BOOTSTRAP)):
            connection = self.shake_hands()
            connection.sendall(BOOTSTRAP[:end])
            self.close(connection) if end % 2 else connection.close()

    def test_thousands_of_connections(self):
        silent = [self.connect(f"127.0.1.{1 + i % 100}") for i in range(self.connections)]
        self.tearDown()
        for connection in silent:
            self.expect_end(connection)

    def test_strangers_from_many_places(self):
        silent = [self.shake_hands(f"127.0.2.{1 + i % 20}") for i in range(400)]
        self.tearDown()
        for connection in silent[:-64]:
            self.expect_end(connection)
        for connection in silent[-64:]:
            connection.close()

    # ---- who has a token and misuses it

    def test_who_asks_and_does_not_read(self):
        self.assertEqual(self.outcome("ask-and-not-read"), "cut off")

    def test_deep_and_wide_messages(self):
        deep, wide = self.outcome("nest-deeply").split("\n")
        self.assertRegex(deep, "nested")
        self.assertRegex(wide, "at most 8 subjects|amplification|traversal")

    def test_capabilities_kept(self):
        self.assertRegex(self.outcome("keep-capabilities"), r"^\d+ kept; .*capabilities")

    def test_sessions_kept(self):
        self.assertRegex(self.outcome("keep-sessions"), r"^2\d\d kept; .*sessions")

    def test_answers_kept(self):
        self.assertIn("calls at a time", self.outcome("keep-answers"))

    def test_calls_after_logout(self):
        ended, session, runs, again = self.outcome("go-on-after-logout").split("\n")
        self.assertEqual(ended, "answered")
        for said in (session, runs, again):
            self.assertNotEqual(said, "answered")


if __name__ == "__main__":
    unittest.main()
