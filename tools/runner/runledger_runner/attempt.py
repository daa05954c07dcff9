"""One attempt: the job as workerd describes it, the script's run, the result."""

import atexit
import faulthandler
import json
import os
import sys
from importlib import import_module

from .captured import CapturedFinder, CapturedFolder
from .contract import ContractError
from .failures import exception_result, exit_result, remember_own_imports
from .named import NamedResults
from .printing import complain, flush_printing, let_go_of_broken_streams, write_whole
from .touched import FilesTouched
from .values import bounded, clean, is_left_to_script, one_line

RUNNER_TROUBLE = 70  # exit status when the job itself cannot be read or answered: no fault of the script
CONTRACTS = {"isis": "IsisRun", "sns": "SnsRun", "fia": "FiaRun"}  # module -> class; a job loads one of them
# What the result keeps, so that it stays far below the size workerd reads.
NAMED_LIMIT = 5000
EXTRA_DIRECTORIES_LIMIT = 100
REMARKS_LIMIT = 100


class Job:
    """One attempt as workerd describes it; every path in it is absolute from here on."""

    def __init__(self, path):
        # Bytes that are not UTF-8 may stand in paths: they travel as surrogates, as everywhere in Python.
        with open(path, "rb") as file:
            content = json.loads(file.read().decode("utf-8", "surrogateescape"))
        self.contract = content["contract"]
        self.script = os.path.abspath(content["script"])
        self.script_path = content["script_path"]
        siblings = {name: os.path.abspath(copy) for name, copy in content.get("siblings", {}).items()}
        self.input_files = content["input_files"]
        self.output_directory = content["output_directory"].rstrip("/") + "/"
        self.variables = content.get("variables", [])
        self.run_number = content.get("run_number")
        self.run_numbers = content.get("run_numbers") or ([] if self.run_number is None else [self.run_number])
        self.instrument = content.get("instrument") or ""
        self.experiment = content.get("experiment") or ""
        self.result = os.path.abspath(content["result"])
        self.script_name = os.path.basename(self.script_path)
        siblings[self.script_name] = self.script  # a neighbour may import the script itself
        self.captured = CapturedFolder(os.path.dirname(self.script), os.path.dirname(self.script_path), siblings)

    def values(self):
        """The run's values by name, without those that are the script's own and have no JSON form."""
        return {variable["name"]: variable["value"] for variable in self.variables if not is_left_to_script(variable["value"])}


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
    remember_own_imports()
    named = NamedResults(job.output_directory)
    touched = FilesTouched(job)
    run = None
    try:
        if job.contract not in CONTRACTS:
            raise ContractError("no such contract: %s; known are %s" % (job.contract, ", ".join(sorted(CONTRACTS))))
        for copy in sorted(job.captured.copies.values()):
            if not os.path.isfile(copy):
                raise ContractError("%s: the captured copy %s is missing" % (job.script_path, copy))
        module = import_module("." + job.contract, __package__)
        run = getattr(module, CONTRACTS[job.contract])(job, named)
        run.prepare()
        finder = CapturedFinder(job.captured)
        sys.meta_path.insert(0, finder)
        sys.path[:0] = [job.captured.folder, job.captured.original]
        touched.watch()
        result = run.execute(finder)
    except SystemExit as error:
        result = exit_result(error)
    except ContractError as error:
        result = {"outcome": "failed", "kind": "contract", "message": str(error)}
    except BaseException as error:  # KeyboardInterrupt and GeneratorExit too: nobody else is there to answer
        result = exception_result(error, job)
    if run is not None:
        result = run.after(result)
    if result["outcome"] != "succeeded":
        complain(result.get("traceback", "").rstrip("\n") or result["message"])
    result["named"] = named
    result["touched"] = touched
    return result


def complete_result(result):
    named, touched = result["named"], result["touched"]
    touched.stop()
    answer = {
        "outcome": result["outcome"],
        "kind": result.get("kind"),
        "message": one_line(clean(result.get("message") or "")),
        "traceback": clean(result.get("traceback") or ""),
        "exit_status": result.get("exit_status"),
        "returned": result.get("returned"),
    }
    remarks = named.remarks + touched.remarks()
    answer["declared"], left_out = bounded(named.declared, NAMED_LIMIT)
    if left_out:
        remarks.insert(0, "%d more files were named as results than a record can hold" % left_out)
    answer["extra_directories"], left_out = bounded(named.extra_directories, EXTRA_DIRECTORIES_LIMIT)
    if left_out:
        remarks.insert(0, "%d more directories were returned than are copied to" % left_out)
    answer["touched"], left_out = bounded(touched.files(), touched.LIMIT)
    answer["touched_more"] = touched.more + left_out
    answer["remarks"] = bounded([one_line(clean(remark)) for remark in remarks], REMARKS_LIMIT)[0]
    return answer


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
        let_go_of_broken_streams()
        try:
            write_whole(self.path, complete_result(self.result))
        except OSError as error:
            complain("the result of the attempt cannot be written to %s: %s" % (self.path, error))
            os._exit(RUNNER_TROUBLE)
