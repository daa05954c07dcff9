"""Runs one reduction script for workerd, in the interpreter of its instrument, and says how it ended.

    PYTHON run_script.py JOB.json                                              one attempt at a job
    PYTHON run_script.py --defaults REDUCE_VARS.py --script FOLDER OUT.json    the script's own variables

docs/contracts/runner.md describes JOB.json, the result and every outcome. Any Python from 3.6 on, standard library
only: the interpreter belongs to the instrument, not to us.

The text that runs is the captured copy, byte for byte what the ledger recorded; yet the script sees itself where the
scientist keeps it: __file__, tracebacks and imports of neighbouring modules name the original folder.
"""

import atexit
import faulthandler
import io
import json
import os
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

MESSAGE_LIMIT = 1000  # characters of a message; the traceback has the rest
TRACEBACK_LIMIT = 200000  # characters of a traceback
HELP_LIMIT = 4000  # characters of one variable's help text
NESTING_LIMIT = 20  # lists within lists in a variable's value
RUNNER_TROUBLE = 70  # exit status when the job itself cannot be read or answered: no fault of the script
SKIP_PREFIX = "Skip:"  # an exception that begins so means "nothing to reduce here", by ISIS convention
BALLAST = [bytearray(1024 * 1024)]  # dropped when memory runs out
OWN_FILE = (lambda: 0).__code__.co_filename  # this file, as tracebacks name it
VARIABLE_GROUPS = (("standard", "standard_vars"), ("advanced", "advanced_vars"))


class ContractError(Exception):
    """The script is not what its contract asks for; the text says what is missing."""


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


# ---- code: captured bytes under the original name ----


class CapturedLoader:
    """Loads a module from its captured copy, under the name of the original file."""

    def __init__(self, copy, original):
        self.copy = copy
        self.original = original
        self.loaded = None  # called with the module once it is loaded

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        exec(compile_captured(self.copy, self.original), module.__dict__)
        if self.loaded:
            self.loaded(module)

    def get_source(self, name):
        return source_text(read_bytes(self.copy))


class CapturedFinder:
    """Finds captured siblings before anything on sys.path: a script that puts its own folder first still gets them."""

    def __init__(self, job):
        captured = dict(job.siblings)
        captured[os.path.basename(job.script_path)] = job.script  # a neighbour may import the script itself
        self.loaders = {
            name[: -len(".py")]: CapturedLoader(copy, os.path.join(job.original_folder, name))
            for name, copy in captured.items()
            if name.endswith(".py") and "/" not in name
        }

    def find_spec(self, name, path=None, target=None):
        loader = self.loaders.get(name)
        return captured_spec(name, loader) if loader else None


def captured_spec(name, loader):
    spec = ModuleSpec(name, loader, origin=loader.original)
    spec.has_location = True  # gives the module its __file__
    return spec


def read_bytes(path):
    with open(path, "rb") as file:
        return file.read()


def compile_captured(copy, original):
    source = read_bytes(copy)
    try:
        return compile(source, original, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise located(error, source, original)
    except ValueError as error:  # NUL bytes, before Python 3.12
        line = source[: max(source.find(b"\0"), 0)].count(b"\n") + 1
        raise SyntaxError(str(error), (original, line, 0, None)) from None


def located(error, source, original):
    """The same syntax error, with file and line filled in where the compiler leaves them out (bad encoding)."""
    if error.filename in (None, "<string>"):
        error.filename = original
    if "codec can't decode" in str(error.msg) or not error.lineno:
        try:
            source.decode("utf-8")
        except UnicodeDecodeError as decoding:
            error.lineno = source[: decoding.start].count(b"\n") + 1
            error.offset = None
            error.text = None
    return error


def source_text(source):
    import tokenize

    try:
        encoding = tokenize.detect_encoding(io.BytesIO(source).readline)[0]
        return io.TextIOWrapper(io.BytesIO(source), encoding=encoding, errors="replace").read()
    except (SyntaxError, LookupError):
        return source.decode("utf-8", "replace")


# ---- the ISIS contract ----


def run_isis(job, finder):
    """Imports the script as `reduce`, gives it the run's variables, calls main(input_file=, output_dir=)."""
    sys.path[:0] = [job.captured_folder, job.original_folder]
    sys.argv = [job.script_path]
    loader = CapturedLoader(job.script, job.script_path)
    spec = captured_spec("reduce", loader)
    module = new_module("reduce", job.script_path, spec)
    sys.modules["reduce"] = module
    loader.exec_module(module)
    give_variables(module, job, finder)

    if in_skip_runs(getattr(module, "SKIP_RUNS", None), job.run_number):
        return {"outcome": "skipped", "message": "run %s is in the script's SKIP_RUNS" % job.run_number}
    main = getattr(module, "main", None)
    if not callable(main):
        raise ContractError(missing_main(job, module, main))
    inputs = job.input_files[0] if len(job.input_files) == 1 else list(job.input_files)
    try:
        returned = main(input_file=inputs, output_dir=job.output_directory)
    except TypeError as error:
        if error.__traceback__.tb_next is None:  # raised by the call, not inside main
            raise ContractError(
                "%s: main cannot be called as main(input_file=..., output_dir=...): %s; give it these two parameters"
                % (job.script_path, error)
            ) from None
        raise
    kept, remark = keep_returned(returned)
    return {"outcome": "succeeded", "returned": kept, "message": remark}


def missing_main(job, module, main):
    what = "has no main(input_file, output_dir)" if main is None else "has a main that is not a function"
    others = " It has a reduce(), which this contract does not call." if callable(getattr(module, "reduce", None)) else ""
    return "%s %s, which the isis contract calls.%s Add main and reduce the run again." % (job.script_path, what, others)


def new_module(name, shown_path, spec=None):
    module = ModuleType(name)
    module.__file__ = shown_path
    module.__builtins__ = __builtins__
    if spec is not None:
        module.__spec__ = spec
        module.__loader__ = spec.loader
        module.__package__ = ""
    return module


def give_variables(module, job, finder):
    """Puts the run's values where a script may look: web_var, reduce_vars, and the dictionaries it took from there."""
    own = sys.modules.get("reduce_vars")
    if own is None:  # not imported yet; a main() that imports it later finds the values too
        loader = finder.loaders.get("reduce_vars")
        if loader:
            loader.loaded = lambda late: update_dictionaries(late, job.variables)
    source = getattr(module, "web_var", None)
    if not isinstance(source, ModuleType):
        source = own
    if source is not None:
        update_dictionaries(source, job.variables)
    if own is not None and own is not source:
        update_dictionaries(own, job.variables)

    fresh = ModuleType("web_var")
    if source is not None:
        fresh.__dict__.update((name, value) for name, value in vars(source).items() if not name.startswith("__"))
    else:
        update_dictionaries(fresh, job.variables)
    module.web_var = fresh


def update_dictionaries(holder, variables):
    """Sets the values in holder.standard_vars and holder.advanced_vars, in place where these exist."""
    for group, attribute in VARIABLE_GROUPS:
        given = [(variable["name"], variable["value"]) for variable in variables if variable["group"] == group]
        dictionary = getattr(holder, attribute, None)
        if dictionary is None:
            dictionary = {}
            setattr(holder, attribute, dictionary)
        if given and not isinstance(dictionary, dict):
            raise ContractError(
                "%s is a %s, not a dict, in %s: the values of this run cannot be put there"
                % (attribute, type(dictionary).__name__, getattr(holder, "__file__", holder.__name__))
            )
        for name, value in given:
            if left_to_script(value):
                continue
            present = dictionary.get(name)
            if name in dictionary and same_value(as_json(present), value):
                continue  # the script's own object: a tuple stays a tuple
            dictionary[name] = tuple(value) if type(present) is tuple and type(value) is list else value


def left_to_script(value):
    return isinstance(value, dict) and set(value) == {"python"}


def same_value(left, right):
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)  # tells 1, 1.0 and True apart


def in_skip_runs(skip_runs, run_number):
    if run_number is None or not isinstance(skip_runs, (list, tuple, set, frozenset)):
        return False
    return str(run_number) in {str(entry).strip() for entry in skip_runs}


def keep_returned(returned):
    """What main returned, as (value for the record, remark): None, a text or a list of texts are kept."""
    if returned is None or isinstance(returned, str):
        return returned, None
    if isinstance(returned, (list, tuple)) and all(isinstance(entry, (str, os.PathLike)) for entry in returned):
        return [os.fsdecode(entry) for entry in returned], None
    if isinstance(returned, os.PathLike):
        return os.fsdecode(returned), None
    return None, "main returned a %s, which is not kept: return None, a text or a list of texts" % type(returned).__name__


# ---- the SNS contract ----


def run_sns(job, finder):
    """Runs the script as `python3 reduce_INST.py FILE OUTDIR/` would."""
    if len(job.input_files) != 1:
        raise ContractError(
            "%s takes one data file in the sns contract, this job has %d" % (job.script_path, len(job.input_files))
        )
    sys.path[:0] = [job.original_folder, job.captured_folder]
    sys.argv = [job.script_path, job.input_files[0], job.output_directory]
    module = new_module("__main__", job.script_path)
    sys.modules["__main__"] = module
    exec(compile_captured(job.script, job.script_path), module.__dict__)
    return {"outcome": "succeeded"}


CONTRACTS = {"isis": run_isis, "sns": run_sns}


# ---- outcomes ----


def run_job(job):
    """Runs the script and returns its result; whatever the script raises ends here."""
    # A neighbour on sys.path must not leave __pycache__ in the facility's archive.
    sys.dont_write_bytecode = True
    own_folder = os.path.dirname(os.path.abspath(__file__))
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


def exit_result(error):
    code = error.code
    if code is None or isinstance(code, int):
        status = (code or 0) & 0xFF  # what the caller of a process gets to see of it
        message = "the script ended itself with exit status %d" % status
        if status == 0:
            return {"outcome": "succeeded", "exit_status": 0, "message": message}
    else:
        status, message = 1, safe_text(code)
    return {"outcome": "failed", "kind": "script_exit", "exit_status": status, "message": message}


def exception_result(error, job):
    if job.contract == "isis" and isinstance(error, Exception) and safe_text(error).startswith(SKIP_PREFIX):
        return {"outcome": "skipped", "message": safe_text(error)}
    if isinstance(error, MemoryError):
        kind = "memory_limit"
        make_room(error)
    elif isinstance(error, SyntaxError) and os.path.isabs(error.filename or ""):
        kind = "script_syntax"  # the script or a module of its folder, rather than an eval()
    else:
        kind = "script_exception"
    try:
        text = traceback_text(error, job)
        message = message_of(error)
    except MemoryError:
        text, message = "", "MemoryError"
    return {"outcome": "failed", "kind": kind, "message": message, "traceback": text, "exit_status": 1}


def safe_text(value):
    try:
        return str(value)
    except Exception:
        return ""


def make_room(error):
    """Lets go of what the script holds, so that there is memory to say that it ran out of it."""
    del BALLAST[:]
    step = error.__traceback__
    while step is not None:
        try:
            step.tb_frame.clear()
        except RuntimeError:  # still running: one of ours
            pass
        step = step.tb_next
    for name in ("reduce", "__main__"):
        module = sys.modules.get(name)
        if module is not None and module is not runner:
            module.__dict__.clear()


def message_of(error):
    """The last line of the traceback; for a syntax error with file and line, since that line alone has neither."""
    text = safe_text(error)
    if isinstance(error, SyntaxError):
        where = "%s, line %s: " % (error.filename, error.lineno) if error.filename else ""
        return "%s%s: %s" % (where, type(error).__name__, error.msg)
    return "%s: %s" % (type(error).__name__, text) if text else type(error).__name__


def traceback_text(error, job):
    """The traceback as Python prints it, without the frames of this file and of the import machinery."""
    import traceback

    show_captured_source(job)
    summary = traceback.TracebackException(type(error), error, error.__traceback__)
    pending, seen = [summary], set()
    while pending:
        part = pending.pop()
        if part is None or id(part) in seen:
            continue
        seen.add(id(part))
        part.stack[:] = [frame for frame in part.stack if not is_runner_frame(frame.filename)]
        pending += [part.__cause__, part.__context__] + list(getattr(part, "exceptions", None) or [])
    chained = summary.__cause__ is not None or (summary.__context__ is not None and not summary.__suppress_context__)
    alone = not summary.stack and not chained
    text = "".join(summary.format_exception_only() if alone else summary.format())
    if len(text) > TRACEBACK_LIMIT:
        half = TRACEBACK_LIMIT // 2
        text = text[:half] + "\n[... %d characters left out ...]\n" % (len(text) - 2 * half) + text[-half:]
    return text


def is_runner_frame(filename):
    return filename == OWN_FILE or filename.startswith("<frozen importlib")


def show_captured_source(job):
    """Tracebacks quote the lines that ran, not those that stand in the original file by now."""
    import linecache

    shown = {job.script_path: job.script}
    shown.update((os.path.join(job.original_folder, name), copy) for name, copy in job.siblings.items())
    for original, copy in shown.items():
        try:
            text = source_text(read_bytes(copy))
        except OSError:
            continue
        linecache.cache[original] = (len(text), None, text.splitlines(True), original)


def one_line(text):
    line = " ".join(text.split())
    return line if len(line) <= MESSAGE_LIMIT else line[: MESSAGE_LIMIT - 4] + " ..."


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


def clean(text):
    """Text that is valid UTF-8: lone surrogates become visible escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


# ---- the script's own variables ----


def read_defaults(path, script_folder):
    """Runs reduce_vars.py and returns what it offers: {"variables": [...], "problem": text or None}."""
    sys.dont_write_bytecode = True
    shown_path = os.path.join(os.path.abspath(script_folder), "reduce_vars.py")  # whatever the captured copy is called
    sys.path[0] = os.path.abspath(script_folder)
    module = new_module("reduce_vars", shown_path)
    sys.modules["reduce_vars"] = module
    problems = []
    try:
        exec(compile_captured(path, shown_path), module.__dict__)
    except SystemExit as error:
        problems.append("%s ended itself with sys.exit(%s)" % (shown_path, "" if error.code is None else error.code))
    except BaseException as error:
        where = "" if isinstance(error, SyntaxError) else "%s, line %d: " % (shown_path, line_in(error, shown_path))
        problems.append(where + message_of(error))
    if problems:
        return {"variables": [], "problem": one_line(clean(problems[0]))}

    variables = []
    for group, attribute in VARIABLE_GROUPS:
        dictionary = getattr(module, attribute, None)
        if dictionary is None:
            continue
        if not isinstance(dictionary, dict):
            problems.append("%s is a %s, not a dict" % (attribute, type(dictionary).__name__))
            continue
        help_texts = help_of(module, attribute)
        for name, value in list(dictionary.items()):
            if type(name) is not str or clean(name) != name:
                problems.append("%s has a name that is not text, %s; it is left to the script" % (attribute, python_text(name)))
                continue
            help_text = help_texts.get(name)
            variables.append(
                {
                    "group": group,
                    "name": name,
                    "value": as_json(value),
                    "help": "" if help_text is None else clean(str(help_text))[:HELP_LIMIT],
                }
            )
    return {"variables": variables, "problem": one_line(clean("; ".join(problems))) if problems else None}


def line_in(error, path):
    line, step = 0, error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == path:
            line = step.tb_lineno
        step = step.tb_next
    return line


def help_of(module, attribute):
    texts = getattr(module, "variable_help", None)
    texts = texts.get(attribute) if isinstance(texts, dict) else None
    return texts if isinstance(texts, dict) else {}


def as_json(value):
    """The value where JSON can say it without loss of type, else {"python": its repr}; tuples become lists."""
    plain, known = plain_value(value, NESTING_LIMIT)
    return plain if known else {"python": python_text(value)}


def plain_value(value, depth):
    kind = type(value)  # exact types: an enum or a numpy number is more than its value
    if value is None or kind is bool:
        return value, True
    if kind is int:
        return value, -(2**63) <= value < 2**63
    if kind is float:
        return value, value == value and abs(value) != float("inf")
    if kind is str:
        return value, clean(value) == value
    if kind in (list, tuple) and depth > 0:
        parts = [plain_value(part, depth - 1) for part in value]
        return [plain for plain, _ in parts], all(known for _, known in parts)
    return None, False


def python_text(value):
    try:
        return clean(repr(value))[:MESSAGE_LIMIT]
    except Exception:
        return "<%s without a printable form>" % type(value).__name__


# ---- the process ----


def complain(text):
    """Says it on the process's own stderr, whatever the script has put in place of sys.stderr."""
    flush_printing()
    try:
        os.write(2, text.encode("utf-8", "backslashreplace") + b"\n")
    except OSError:
        pass


def open_printing():
    """Makes printing safe: nothing a script prints raises, and each line leaves at once, so that a log can be followed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            continue
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
        else:
            safe = io.TextIOWrapper(stream.detach(), encoding="utf-8", errors="backslashreplace", line_buffering=True)
            setattr(sys, name, safe)
            setattr(sys, "__%s__" % name, safe)


def flush_printing():
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:
            stream.flush()
        except Exception:
            pass


def write_whole(path, content):
    """Writes JSON through a temporary name, so that a reader finds all of it or nothing."""
    data = json.dumps(content).encode("ascii")
    temporary = "%s.%d.part" % (path, os.getpid())
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        with io.FileIO(descriptor, "w", closefd=False) as file:
            view = memoryview(data)
            while view:
                view = view[file.write(view) :]
    finally:
        os.close(descriptor)
    os.replace(temporary, path)


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


def run_attempt(job_path):
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


def main(arguments):
    open_printing()
    if len(arguments) == 1 and not arguments[0].startswith("-"):
        if sys.stderr is not None:
            faulthandler.enable()  # a crash in compiled code leaves the line it came from in the reduction log
        return run_attempt(arguments[0])
    if len(arguments) == 5 and arguments[0] == "--defaults" and arguments[2] == "--script":
        write_whole(os.path.abspath(arguments[4]), read_defaults(os.path.abspath(arguments[1]), arguments[3]))
        return 0
    complain("usage: run_script.py JOB.json\n       run_script.py --defaults REDUCE_VARS.py --script FOLDER OUT.json")
    return 2


if __name__ == "__main__":
    runner = sys.modules["__main__"]  # kept: a script that runs as __main__ takes its place in sys.modules
    sys.exit(main(sys.argv[1:]))
