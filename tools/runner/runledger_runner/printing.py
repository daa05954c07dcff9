"""What the process prints and writes, whatever the script has done to its streams."""

import io
import json
import os
import sys


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
