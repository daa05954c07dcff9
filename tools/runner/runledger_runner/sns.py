"""The sns contract: `python3 reduce_INST.py FILE OUTDIR/`, with templates, sumRun_INST.py and a list of results in JSON."""

import json
import os
import sys

from .captured import new_module
from .contract import ContractError, ContractRun
from .values import TEMPLATE_SUFFIX, path_text

LIST_BYTES = 8 << 20  # of the list of results
DATA_SUFFIXES = (".nxs.h5", ".nx.hdf", ".nxs")


class SnsRun(ContractRun):
    def prepare(self):
        job = self.job
        if len(job.input_files) != 1:
            raise ContractError(
                "%s takes one data file in the sns contract, this job has %d" % (job.script_path, len(job.input_files))
            )
        self.run_summary()
        self.shown_name = job.script_name
        if job.script_name.endswith(TEMPLATE_SUFFIX):
            from .templates import fill_template

            self.shown_name = fill_template(job)

    def run_summary(self):
        """sumRun_INST.py adds a line about the run to its experiment's summary; the reduction does not depend on it."""
        job = self.job
        name = "sumRun_%s.py" % job.instrument
        summary = job.captured.copies.get(name)
        if not job.instrument or summary is None:
            return
        import subprocess

        experiment = job.experiment.replace("/", "_").replace("\0", "_") or "unknown"
        line_file = "%s%s_%s_runsummary.csv" % (job.output_directory, job.instrument, experiment)
        command = [sys.executable, "-B", summary, job.instrument, job.input_files[0], line_file]
        try:  # its stderr is no complaint of the reduction's
            status = subprocess.call(command, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        except OSError as error:
            self.named.remark("%s could not be started: %s" % (name, error))
            return
        if status:
            ended = "was killed by signal %d" % -status if status < 0 else "ended with status %d" % status
            self.named.remark("%s %s; the reduction went on without it" % (name, ended))

    def execute(self, finder):
        job = self.job
        shown_path = os.path.join(job.captured.folder, self.shown_name)
        sys.argv = [shown_path, job.input_files[0], job.output_directory]
        module = new_module("__main__", shown_path)
        sys.modules["__main__"] = module
        exec(job.captured.compile(job.script_name), module.__dict__)
        return {"outcome": "succeeded"}

    def judge(self, result):
        path = self.list_of_results()
        if path is None:
            return result
        shown = os.path.basename(path)
        try:
            with open(path, "rb") as file:
                content = json.loads(file.read(LIST_BYTES + 1)[:LIST_BYTES].decode("utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            self.named.remark("%s is no list of results: %s: %s" % (path_text(shown), type(error).__name__, error))
            return result
        entries = content.get("output_files") if isinstance(content, dict) else None
        if not isinstance(entries, list):
            self.named.remark("%s is no list of results: it has no list output_files" % path_text(shown))
            return result
        unread = 0
        for entry in entries:
            location = entry.get("location") if isinstance(entry, dict) else entry
            if isinstance(location, str):
                self.named.add(location)
            else:
                unread += 1
        if unread:
            self.named.remark("%s: %d of its output_files name no file (location)" % (path_text(shown), unread))
        return result

    def list_of_results(self):
        if not self.job.input_files:
            return None
        name = os.path.basename(self.job.input_files[0])
        stems = [name[: -len(suffix)] for suffix in DATA_SUFFIXES if name.endswith(suffix)] + [os.path.splitext(name)[0]]
        for stem in stems:
            path = self.job.output_directory + stem + ".json"
            if os.path.isfile(path):
                return path
        return None
