"""A site of real processes for one test: made in a temporary folder, started, asked through the command line, stopped by pid.

Nothing here sleeps to wait: `wait_for` reads the event stream of `runledger watch` and looks again after each event.
"""

import json
import os
import pathlib
import selectors
import shutil
import signal
import subprocess
import tempfile
import time

BIN = pathlib.Path(os.environ["RUNLEDGER_BIN"])
SOURCE = pathlib.Path(__file__).resolve().parents[2]
SHARED_DATA = pathlib.Path(os.environ.get("RUNLEDGER_SHARED_DATA", SOURCE.parent / "shared" / "data"))
PYTHON = "/usr/bin/python3"
PATIENCE_SECONDS = 120  # a test that waits longer than this has failed


def toml_list(values):
    return "[" + ", ".join(json.dumps(str(value)) for value in values) + "]"


class SiteUnderTest:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="runledger-system."))
        self.tables = []
        self.facility = ""  # more of the [facility] table
        self.settings = '[monitor]\nsettle = "100ms"\ngive_up_after = "1s"\nsweep = "1s"\n[worker]\nslots = 2\nlease = "5s"\n'
        self.processes = []

    # ---- the site ----

    def instrument(self, name, script=None, contract="isis", variables=None, files=None, **settings):
        """One instrument with its folder, script text and settings; answers the folder its raw files go to."""
        raw = self.folder / "archive" / name / "data"
        raw.mkdir(parents=True, exist_ok=True)
        lines = [f'[[instrument]]\nname = "{name}"', f'contract = "{contract}"', f"raw = {toml_list([raw])}"]
        if script is not None:
            lines.append(f"script = {json.dumps(str(self.write_script(name, script, contract, variables)))}")
        if files:
            lines.append(f"files = {toml_list(files)}")
        lines.append('output = "output/{instrument}/{experiment}/{run}/run-version-{version}"')
        lines += [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
        self.tables.append("\n".join(lines))
        return raw

    def script_path(self, name, contract="isis"):
        return self.folder / "archive" / name / "scripts" / ("reduce.py" if contract == "isis" else f"reduce_{name}.py")

    def write_script(self, name, text, contract="isis", variables=None):
        path = self.script_path(name, contract)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        if variables is not None:
            (path.parent / "reduce_vars.py").write_text(variables)
        return path

    def write_site(self):
        # Whole at once: a daemon started before may just be reading it.
        whole = self.folder / ".site.toml.new"
        whole.write_text('[facility]\nname = "Test"\n' + self.facility + self.settings + "\n".join(self.tables) + "\n")
        whole.rename(self.folder / "site.toml")

    # ---- processes ----

    def start(self, program="runledger-up", *arguments):
        """Starts a program of the site; an `up` or ledgerd is ready when this returns."""
        self.write_site()
        log = open(self.folder / f"{program}.log", "ab")
        process = subprocess.Popen([BIN / program, "--site", self.folder, *arguments], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        log.close()
        self.processes.append(process)
        if program in ("runledger-up", "ledgerd"):
            self.until(lambda: self.answers(), f"{program} answers", process)
        return process

    def answers(self):
        return self.run("status", check=False).returncode == 0

    def until(self, condition, what, process):
        """Waits for a process to come up: it tells nobody, so it is asked again and again."""
        give_up = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            if process.poll() is not None:
                raise AssertionError(f"{what}: the process ended with {process.returncode}:\n{self.logs()}")
            if time.monotonic() > give_up:
                raise AssertionError(f"{what}: not within {PATIENCE_SECONDS} s:\n{self.logs()}")
            selectors.DefaultSelector().select(0.02)

    def stop(self, process, how=signal.SIGTERM):
        process.send_signal(how)
        status = process.wait(timeout=PATIENCE_SECONDS)
        self.processes.remove(process)
        return status

    def close(self):
        for process in list(self.processes):
            self.stop(process, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def logs(self):
        return "\n".join(f"--- {path.name}\n{path.read_text(errors='replace')[-4000:]}" for path in sorted(self.folder.glob("*.log")))

    # ---- asking ----

    def run(self, *arguments, check=True):
        result = subprocess.run([BIN / "runledger", "--site", self.folder, *map(str, arguments)], capture_output=True, text=True,
                                stdin=subprocess.DEVNULL, timeout=PATIENCE_SECONDS)
        if check and result.returncode != 0:
            raise AssertionError(f"runledger {' '.join(map(str, arguments))} ended with {result.returncode}:\n{result.stderr}\n{self.logs()}")
        return result

    def json(self, *arguments):
        result = self.run("--json", *arguments, check=False)
        if result.returncode > 1:
            raise AssertionError(f"runledger {' '.join(map(str, arguments))} ended with {result.returncode}:\n{result.stderr}\n{self.logs()}")
        return json.loads(result.stdout) if result.stdout.strip() else []

    def runs(self):
        return {(run["instrument"], run["run_number"]): run for run in self.json("runs")}

    def wait_for(self, condition, what):
        """Looks at `condition()` now and after each event of the log, until it is true."""
        watch = subprocess.Popen([BIN / "runledger", "--site", self.folder, "--json", "watch", "--from", "1"], stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        give_up = time.monotonic() + PATIENCE_SECONDS
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(watch.stdout, selectors.EVENT_READ)
                while True:
                    value = condition()
                    if value:
                        return value
                    left = give_up - time.monotonic()
                    if left <= 0 or not selector.select(left):
                        raise AssertionError(f"{what}: not within {PATIENCE_SECONDS} s\n{json.dumps(self.json('runs'), indent=1)[-6000:]}\n{self.logs()}")
                    if not os.read(watch.stdout.fileno(), 1 << 16):
                        raise AssertionError(f"{what}: the event stream ended\n{self.logs()}")
        finally:
            watch.kill()
            watch.wait()
            watch.stdout.close()

    def wait_for_states(self, wanted):
        """`wanted`: {(instrument, run_number): state}; answers the runs once all are so."""

        def reached():
            runs = self.runs()
            return runs if all(runs.get(key, {}).get("state") == state for key, state in wanted.items()) else None

        return self.wait_for(reached, f"states {wanted}")


def make_run(path, number=None, experiment="2010001", title="a run", entry="raw_data_1", counts=(1, 2, 3), run_number=None):
    """A small NeXus file in ISIS layout, whole when it appears (written beside, then renamed)."""
    import h5py
    import numpy

    temporary = path.parent / f".{path.name}.part"
    with h5py.File(temporary, "w") as file:
        group = file.create_group(entry)
        group.attrs["NX_class"] = numpy.bytes_("NXentry")
        group["run_number"] = numpy.array([number if run_number is None else run_number], dtype="i4")
        group["title"] = numpy.array([title.encode()], dtype="S")
        group["experiment_identifier"] = numpy.array([experiment.encode()], dtype="S")
        group["start_time"] = numpy.array([b"2026-11-01T10:00:00"], dtype="S")
        group["end_time"] = numpy.array([b"2026-11-01T10:10:00"], dtype="S")
        detector = group.create_group("detector_1")
        detector["counts"] = numpy.array([[counts]], dtype="i4")
    os.rename(temporary, path)
    return path


COPY_SCRIPT = """
import os, shutil

def main(input_file, output_dir):
    print("reducing", input_file)
    shutil.copy(input_file, output_dir)
"""
