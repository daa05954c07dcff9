"""What is said of a script that did not end well."""

import io
import os
import sys

from .captured import read_bytes, source_text
from .values import safe_text

TRACEBACK_LIMIT = 200000  # characters of a traceback
SKIP_PREFIX = "Skip:"  # an exception that begins so means "nothing to reduce here", by ISIS convention
BALLAST = [bytearray(1024 * 1024)]  # dropped when memory runs out
OWN_FOLDER = os.path.dirname((lambda: 0).__code__.co_filename)  # this package, as tracebacks name it
RUNNER = sys.modules["__main__"]  # run_script.py; kept, since a script that runs as __main__ takes its place
RUNNER_FILE = getattr(RUNNER, "__file__", None)


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
    elif isinstance(error, SyntaxError) and isinstance(error.filename, str) and os.path.isabs(error.filename):
        kind = "script_syntax"  # the script or a module of its folder, rather than an eval()
    else:
        kind = "script_exception"
    if isinstance(error, SyntaxError) and isinstance(error.filename, str):
        error.filename = job.captured.original_of(error.filename)  # of a neighbour that was imported by a link
    text, message = "", type(error).__name__
    try:
        message = message_of(error)
        with OwnImports():
            text = traceback_text(error, job)
    except Exception:  # no memory for it, or the script has put something else in the place of what it takes
        pass
    return {"outcome": "failed", "kind": kind, "message": message, "traceback": text, "exit_status": 1}


OWN_PATH, OWN_FINDERS = [], []


def remember_own_imports():
    """What sys.path is before the script's folders and the script change it."""
    OWN_PATH[:], OWN_FINDERS[:] = sys.path, sys.meta_path


class OwnImports:
    """Imports as before the script: one that has left nothing of sys.path still gets its traceback."""

    def __enter__(self):
        self.of_the_script = sys.path, sys.meta_path
        sys.path, sys.meta_path = list(OWN_PATH), list(OWN_FINDERS)

    def __exit__(self, *error):
        sys.path, sys.meta_path = self.of_the_script


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
        if module is not None and module is not RUNNER:
            module.__dict__.clear()


def message_of(error):
    """The last line of the traceback; for a syntax error with file and line, since that line alone has neither."""
    text = safe_text(error)
    if isinstance(error, SyntaxError):
        where = "%s, line %s: " % (error.filename, error.lineno) if error.filename else ""
        return "%s%s: %s" % (where, type(error).__name__, error.msg)
    return "%s: %s" % (type(error).__name__, text) if text else type(error).__name__


def traceback_text(error, job):
    """The traceback as Python prints it, without the runner's own frames and those of the import machinery."""
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
        for frame in part.stack:  # neighbours that were imported by a link; their lines have been read
            frame.filename = job.captured.original_of(frame.filename)
        pending += [part.__cause__, part.__context__] + list(getattr(part, "exceptions", None) or [])
    chained = summary.__cause__ is not None or (summary.__context__ is not None and not summary.__suppress_context__)
    alone = not summary.stack and not chained
    text = "".join(summary.format_exception_only() if alone else summary.format())
    if len(text) > TRACEBACK_LIMIT:
        half = TRACEBACK_LIMIT // 2
        text = text[:half] + "\n[... %d characters left out ...]\n" % (len(text) - 2 * half) + text[-half:]
    return text


def is_runner_frame(filename):
    return os.path.dirname(filename) == OWN_FOLDER or filename == RUNNER_FILE or filename.startswith("<frozen importlib")


def show_captured_source(job):
    """Tracebacks quote the lines that ran, not those that stand in the original file by now."""
    import linecache

    for name, copy in job.captured.copies.items():
        try:
            text = source_text(read_bytes(copy))
        except OSError:
            continue
        original = job.captured.original_path(name)
        linecache.cache[original] = (len(text), None, io.StringIO(text).readlines(), original)
