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


def let_go_of_broken_streams():
    """A stream whose descriptor the script has closed must not turn a good end of the process into a bad one."""
    for name in ("stdout", "stderr"):
        try:
            getattr(sys, name).flush()
        except Exception:
            setattr(sys, name, None)


class TailKeeper(io.FileIO):
    """A descriptor that is written to, and remembers the last that was written."""

    LIMIT = 1 << 20

    def __init__(self, descriptor):
        super().__init__(descriptor, "w", closefd=False)
        self.parts = []
        self.size = 0

    def write(self, data):
        written = super().write(data)
        part = bytes(memoryview(data)[:written])
        self.parts.append(part)
        self.size += len(part)
        if self.size > 2 * self.LIMIT:
            self.parts = [b"".join(self.parts)[-self.LIMIT :]]
            self.size = len(self.parts[0])
        return written

    def last_line(self):
        return b"".join(self.parts).decode("utf-8", "replace").rstrip().rpartition("\n")[2]


def keep_tail_of_stdout():
    """From now on the last line that Python code prints can be asked for; None where there is no stdout."""
    if sys.stdout is None:
        return None
    flush_printing()
    keeper = TailKeeper(sys.stdout.fileno())
    stream = io.TextIOWrapper(keeper, encoding="utf-8", errors="backslashreplace", line_buffering=True, write_through=True)
    sys.stdout = sys.__stdout__ = stream
    return keeper


def write_whole(path, content):
    """Writes JSON through a temporary name, so that a reader finds all of it or nothing."""
    write_whole_bytes(path, json.dumps(content).encode("ascii"))


def write_whole_bytes(path, data):
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
