"""One attempt: the job as workerd describes it, the script's run, the result."""

import atexit
import faulthandler
import json
import os
import sys

from .captured import CapturedFinder
from .contracts import CONTRACTS, ContractError
from .failures import exception_result, exit_result
from .printing import complain, flush_printing, write_whole
from .values import clean, one_line

RUNNER_TROUBLE = 70  # exit status when the job itself cannot be read or answered: no fault of the script


class Job:
    """One attempt as workerd describes it; every path in it is absolute from here on."""

    def __init__(self, path):
        # Bytes that are not UTF-8 may stand in paths: they travel as surrogates, as everywhere in Python.
        with open(path, "rb") as file:
            content = json.loads(file.read().decode("utf-8", "surrogateescape"))
        self.contract = content["contract"]
        self.script = os.path.abspath(content["script"])
        self.script_path = content["script_path"]
        self.siblings = {name: os.path.abspath(copy) for name, copy in content.get("siblings", {}).items()}
        self.input_files = content["input_files"]
        self.output_directory = content["output_directory"].rstrip("/") + "/"
        self.variables = content.get("variables", [])
        self.run_number = content.get("run_number")
        self.result = os.path.abspath(content["result"])

    @property
    def captured_folder(self):
        return os.path.dirname(self.script)

    @property
    def original_folder(self):
        return os.path.dirname(self.script_path)


def run_attempt(job_path):
    if sys.stderr is not None:
        faulthandler.enable()  # a crash in compiled code leaves the line it came from in the reduction log
    try:
        job = Job(job_path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        complain("%s: not a job description: %s: %s" % (job_path, type(error).__name__, error))
        return RUNNER_TROUBLE
    keeper = ResultKeeper(job.result)
    keeper.result = run_job(job)
    flush_printing()
    if keeper.result["outcome"] != "failed":
        return 0
    return keeper.result.get("exit_status") or 1


def run_job(job):
    """Runs the script and returns its result; whatever the script raises ends here."""
    # A neighbour on sys.path must not leave __pycache__ in the facility's archive.
    sys.dont_write_bytecode = True
    own_folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # run_script.py's
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != own_folder]
    finder = CapturedFinder(job)
    sys.meta_path.insert(0, finder)
    try:
        run = CONTRACTS.get(job.contract)
        if run is None:
            raise ContractError("no such contract: %s; known are %s" % (job.contract, ", ".join(sorted(CONTRACTS))))
        for copy in [job.script] + sorted(job.siblings.values()):
            if not os.path.isfile(copy):
                raise ContractError("%s: the captured copy %s is missing" % (job.script_path, copy))
        result = run(job, finder)
    except SystemExit as error:
        result = exit_result(error)
    except ContractError as error:
        result = {"outcome": "failed", "kind": "contract", "message": str(error)}
    except BaseException as error:  # KeyboardInterrupt and GeneratorExit too: nobody else is there to answer
        result = exception_result(error, job)
    if result["outcome"] != "succeeded":
        complain(result.get("traceback", "").rstrip("\n") or result["message"])
    return result


def complete_result(result):
    return {
        "outcome": result["outcome"],
        "kind": result.get("kind"),
        "message": one_line(clean(result.get("message") or "")),
        "traceback": clean(result.get("traceback") or ""),
        "exit_status": result.get("exit_status"),
        "returned": clean_returned(result.get("returned")),
    }


def clean_returned(returned):
    if isinstance(returned, list):
        return [clean(entry) for entry in returned]
    return None if returned is None else clean(returned)


class ResultKeeper:
    """Writes the result when the interpreter is about to end: after the script's threads and its own exit handlers.

    A process killed before that leaves no result, and a child the script forked writes none.
    """

    def __init__(self, path):
        self.path = path
        self.result = None
        self.owner = os.getpid()
        atexit.register(self.write)  # first registered runs last

    def write(self):
        if self.result is None or os.getpid() != self.owner:
            return
        flush_printing()
        try:
            write_whole(self.path, complete_result(self.result))
        except OSError as error:
            complain("the result of the attempt cannot be written to %s: %s" % (self.path, error))
            os._exit(RUNNER_TROUBLE)
