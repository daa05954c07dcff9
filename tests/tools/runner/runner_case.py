"""What the tests of the script runner share.

Each test writes its script into a temporary archive, captures it as workerd does, runs the runner as a process of its own
and looks at the result file, the output folder and what was printed.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest

RUNNER = os.environ.get(
    "RUNLEDGER_RUNNER",
    os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "tools", "runner", "run_script.py"),
)


class RunnerCase(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="runner-")
        self.addCleanup(shutil.rmtree, self.root)
        self.archive = self.folder("archive/NDXDEMO/user/scripts/autoreduction")
        self.captured = self.folder("scratch/script")
        self.work = self.folder("scratch/work")
        self.output = self.folder("scratch/output")
        self.result_path = os.path.join(self.root, "scratch", "result.json")
        self.raw = os.path.join(self.folder("archive/NDXDEMO/Instrument/data/cycle_26_1"), "DEM00028001.nxs")
        with open(self.raw, "wb") as file:
            file.write(b"\x89HDF raw bytes")

    def folder(self, name):
        path = os.path.join(self.root, name)
        os.makedirs(path)
        return path

    def write_script(self, name, text):
        """Puts a script (or a module beside it) into the archive and captures it."""
        for folder in (self.archive, self.captured):
            write_file(os.path.join(folder, name), text)
        return os.path.join(self.captured, name)

    def capture_folder(self, folder):
        """Captures all files of a folder as a script's; returns them by name, as a job has its siblings."""
        copies = {}
        for place, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(place, name)
                with open(path, "rb") as file:
                    below = os.path.relpath(path, folder)
                    copies[below] = self.write_script(below, file.read())
        return copies

    def neighbour(self, name, text):
        """Puts a file beside the script that is not captured: the job sees it by a link."""
        write_file(self.original(name), text)
        top = name.split("/")[0]
        if not os.path.lexists(os.path.join(self.captured, top)):
            os.symlink(self.original(top), os.path.join(self.captured, top))

    def change_original(self, name, text):
        write_file(self.original(name), text)

    def run_isis(self, script, variables=None, reduce_vars=None, **job):
        self.write_script("reduce.py", script)
        if reduce_vars is not None:
            self.write_script("reduce_vars.py", reduce_vars)
            job.setdefault("siblings", {"reduce_vars.py": os.path.join(self.captured, "reduce_vars.py")})
        return self.run_job("isis", "reduce.py", variables=variables or [], **job)

    def run_sns(self, script, name="reduce_DEMO.py", **job):
        self.write_script(name, script)
        return self.run_job("sns", name, **job)

    def run_fia(self, script, **job):
        self.write_script("reduce.py", script)
        return self.run_job("fia", "reduce.py", **job)

    def run_job(self, contract, name, before=None, environment=None, **job):
        content = {
            "contract": contract,
            "script": os.path.join(self.captured, name),
            "script_path": os.path.join(self.archive, name),
            "siblings": {},
            "input_files": [self.raw],
            "output_directory": self.output,
            "variables": [],
            "result": self.result_path,
        }
        content.update(job)
        job_path = os.path.join(self.root, "scratch", "job.json")
        with open(job_path, "w") as file:
            json.dump(content, file)
        self.ended = subprocess.run(
            [sys.executable, RUNNER, job_path],
            cwd=self.work,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(os.environ, **dict({"PYTHONUNBUFFERED": "1"}, **(environment or {}))),
            preexec_fn=before,
            timeout=120,
        )
        self.stdout = self.ended.stdout.decode("utf-8")
        self.stderr = self.ended.stderr.decode("utf-8")
        if not os.path.exists(self.result_path):
            return None
        with open(self.result_path) as file:
            return json.load(file)

    def assert_succeeded(self, result):
        self.assertIsNotNone(result, self.stderr)
        self.assertEqual(result["outcome"], "succeeded", result)
        self.assertIsNone(result["kind"])
        self.assertEqual(self.ended.returncode, 0)

    def assert_failed(self, result, kind, *texts):
        self.assertIsNotNone(result, self.stderr)
        self.assertEqual((result["outcome"], result["kind"]), ("failed", kind), result)
        self.assertNotEqual(self.ended.returncode, 0)
        self.assertNotIn("\n", result["message"])
        for text in texts:
            self.assertIn(text, result["message"])
        self.assertNotIn("run_script.py", result["traceback"])
        self.assertNotIn("runledger_runner", result["traceback"])
        self.assertNotIn("importlib", result["traceback"])

    def read_defaults(self, contract, script):
        out = os.path.join(self.root, "defaults.json")
        self.ended = subprocess.run(
            [sys.executable, RUNNER, "--defaults", contract, "--folder", self.captured, "--script", self.original(script), out],
            cwd=self.work,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=60,
        )
        self.assertEqual(self.ended.returncode, 0, self.ended.stderr)
        with open(out) as file:
            return json.load(file)

    def written(self):
        """The files of the output directory, as paths below it."""
        return sorted(
            os.path.relpath(os.path.join(folder, name), self.output) for folder, _, names in os.walk(self.output) for name in names
        )

    def read_output(self, name):
        with open(os.path.join(self.output, name), encoding="utf-8") as file:
            return file.read()

    def printed(self):
        return json.loads(self.stdout.strip().splitlines()[-1])

    def original(self, name):
        return os.path.join(self.archive, name)


def variable(name, value, group="standard"):
    return {"group": group, "name": name, "value": value}


def write_file(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(text if isinstance(text, bytes) else textwrap.dedent(text).encode("utf-8"))
