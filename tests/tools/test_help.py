"""Every command explains every option, gives an example, and is in the manual page and the completion, as the program says."""

import os
import pathlib
import re
import subprocess
import unittest

BIN = pathlib.Path(os.environ["RUNLEDGER_BIN"]) / "runledger"
TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"
OPTION = re.compile(r"^  (?:-[a-z],)?(--[a-z-]+)(.*)$")


def help_of(command):
    return subprocess.run([BIN, *command, "--help"], capture_output=True, text=True, check=True).stdout.splitlines()


def section(lines, heading):
    """The entries below a heading, each on one line."""
    if heading not in lines:
        return []
    entries = []
    for line in lines[lines.index(heading) + 1 :]:
        if not line.startswith("  "):
            break
        if line.startswith("   "):
            entries[-1] += " " + line.strip()
        else:
            entries.append(line)
    return entries


def commands(command=()):
    """Every command there is, families and what is below them."""
    below = [(*command, entry.split()[0]) for entry in section(help_of(command), "Subcommands:")]
    return below + [deeper for one in below for deeper in commands(one)]


class HelpTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.commands = commands()
        cls.manual = (TOOLS / "man/runledger.1").read_text().replace("\\-", "-")
        cls.completion = (TOOLS / "completion/runledger.bash").read_text()

    def options(self):
        for command in [(), *self.commands]:
            for entry in section(help_of(command), "Options:"):
                yield command, *OPTION.match(entry).groups()

    def test_there_are_the_commands_of_the_first_release(self):
        names = {" ".join(command) for command in self.commands}
        self.assertLessEqual({"status", "runs", "vars set", "script diff", "init", "up"}, names)

    def test_every_command_has_an_example_of_itself(self):
        for command in self.commands:
            with self.subTest(command=command):
                examples = [line for line in help_of(command) if line.startswith("Example: runledger " + " ".join(command))]
                self.assertEqual(len(examples), 1)

    def test_every_option_and_word_is_explained(self):
        for command, name, rest in self.options():
            with self.subTest(command=command, option=name):
                self.assertRegex(rest, r" \S+ \S+ \S+$")
        for command in self.commands:
            for entry in section(help_of(command), "Positionals:"):
                with self.subTest(command=command, word=entry):
                    self.assertNotIn("TEXT", entry)
                    self.assertRegex(entry, r"[^ ]  +\S+|REQUIRED \S+")

    def test_every_option_is_in_the_manual_page(self):
        for command, name, _ in self.options():
            with self.subTest(command=command, option=name):
                self.assertRegex(self.manual, rf"Fl {name[1:]}\b")

    def test_every_command_is_in_the_manual_page_with_an_example(self):
        for command in self.commands:
            with self.subTest(command=command):
                if command not in {other[:-1] for other in self.commands}:
                    self.assertIn(".Dl runledger " + " ".join(command), self.manual)
                    self.assertRegex(self.manual, rf"\.It .*Cm {' '.join(command)}\b")

    def test_every_command_and_option_is_completed(self):
        for command in self.commands:
            with self.subTest(command=command):
                self.assertRegex(self.completion, rf"[\" ]{command[-1]}[\" ]")
        for command, name, _ in self.options():
            with self.subTest(command=command, option=name):
                self.assertRegex(self.completion, rf"{name}\b")

    def test_manual_page_names_no_option_that_does_not_exist(self):
        there = {name for _, name, _ in self.options()}
        for name in re.findall(r"Fl (-[a-z-]+)", self.manual):
            with self.subTest(option=name):
                self.assertIn("-" + name, there)

    def test_options_that_would_do_nothing_are_refused(self):
        for words in (["up", "--json"], ["up", "--connect", "unix:/x"], ["up", "--log-level", "loud"],
                      ["init", "/nowhere", "--json"], ["--site", "/x", "init", "/nowhere"]):
            with self.subTest(words=words):
                ran = subprocess.run([BIN, *words], capture_output=True, text=True)
                self.assertEqual((ran.returncode, ran.stdout), (2, ""))
                self.assertRegex(ran.stderr, "does nothing with|loud")


if __name__ == "__main__":
    unittest.main()
