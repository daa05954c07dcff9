"""What the interpreter tells of files opened, renamed and removed outside the job's own folders."""

import os
import stat
import sys

from .values import path_text

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
NO_FILES = ("/dev/", "/proc/", "/sys/")
KNOWN_LIMIT = 100000  # paths that are told apart
BESIDE_REMARKS = 20


class FilesTouched:
    """An audit hook (Python 3.8 and later). Compiled code that opens files by itself is not seen, and neither are other processes."""

    LIMIT = 1000  # files on record

    def __init__(self, job):
        self.captured = job.captured
        self.script_folders = tuple(folder.rstrip("/") + "/" for folder in (job.captured.folder, job.captured.original))
        scratch = os.path.dirname(job.result)
        own = [job.output_directory, scratch, os.getcwd(), os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
        own += [os.environ[name] for name in ("HOME", "TMPDIR") if os.environ.get(name)]
        self.real_captured = os.path.realpath(job.captured.folder) + "/"
        self.own_folders = tuple(os.path.realpath(folder).rstrip("/") + "/" for folder in own)
        self.own_spelled = tuple(os.path.abspath(folder).rstrip("/") + "/" for folder in own[:1] + own[2:])
        self.inputs = set(job.input_files)
        self.known = {}  # real path -> None or [size, mtime_ns] before
        self.more = 0
        self.read = {}  # in order; names of files beside the script
        self.written_beside = {}
        self.is_watching = False
        self.seen = {
            "open": self.opened,
            "os.rename": self.renamed,
            "os.remove": self.removed,
            "os.link": self.linked,
            "os.symlink": self.symlinked,
            "os.truncate": self.truncated,
            "sqlite3.connect": self.truncated,
        }

    def watch(self):
        if hasattr(sys, "addaudithook"):
            self.is_watching = True
            sys.addaudithook(self.hook)

    def stop(self):
        self.is_watching = False

    def hook(self, event, arguments):
        if not self.is_watching:
            return
        seen = self.seen.get(event)
        if seen is not None:
            try:
                seen(*arguments)
            except Exception:  # whatever it is, it is no reason to stop the script
                pass

    # ---- events ----

    def opened(self, path, mode, flags):
        if isinstance(path, int):
            return
        if isinstance(flags, int) and flags & WRITING:
            self.change(os.path.realpath(os.fsdecode(path)))
        else:
            self.note_read(path)

    def renamed(self, source, target, source_folder=-1, target_folder=-1):
        source = entry_path(source, source_folder)
        if os.path.isdir(source):
            return  # files are told of, folders are not
        self.change(source)
        self.change(entry_path(target, target_folder))

    def removed(self, path, folder=-1):
        self.change(entry_path(path, folder))

    def linked(self, source, target, source_folder=-1, target_folder=-1):
        self.change(entry_path(target, target_folder))

    def symlinked(self, source, target, folder=-1):
        self.change(entry_path(target, folder))

    def truncated(self, path, *rest):
        if not isinstance(path, int) and path not in (":memory:", ""):
            self.change(os.path.realpath(os.fsdecode(path)))

    # ---- what they come to ----

    def change(self, path):
        if path in self.known or path.startswith(NO_FILES):
            return
        if path.startswith(self.own_folders):
            if path.startswith(self.real_captured) and len(self.written_beside) < BESIDE_REMARKS:
                self.written_beside[path[len(self.real_captured) :]] = None
            return
        try:
            info = os.lstat(path)
        except OSError:
            before = None
        else:
            if not (stat.S_ISREG(info.st_mode) or stat.S_ISLNK(info.st_mode)):
                return
            before = [info.st_size, info.st_mtime_ns]
        if len(self.known) < KNOWN_LIMIT:
            self.known[path] = before
        if len(self.known) > self.LIMIT:
            self.more += 1

    def note_read(self, path):
        path = os.fsdecode(path)
        if not path.startswith("/"):
            path = os.path.abspath(path)
        if not path.startswith(self.script_folders) or len(self.read) == BESIDE_REMARKS:
            return
        folder = next(folder for folder in self.script_folders if path.startswith(folder))
        name = source_name(path[len(folder) :])
        if name in self.captured.copies or path in self.inputs or path.startswith(self.own_spelled) or not os.path.isfile(path):
            return
        if folder == self.script_folders[0] and is_the_jobs_own(path, folder):
            return
        self.read[name] = None

    def files(self):
        return [{"path": path_text(path), "before": before} for path, before in list(self.known.items())[: self.LIMIT]]

    def remarks(self):
        texts = ["read %s beside the script, which is not on record" % name for name in self.read]
        return texts + ["wrote %s beside the script: the job's copy of that folder is not kept" % name for name in self.written_beside]


def entry_path(path, folder):
    """The entry itself, not what it links to."""
    path = os.fsdecode(path)
    if isinstance(folder, int) and folder >= 0 and not path.startswith("/"):
        path = os.path.join(os.readlink("/proc/self/fd/%d" % folder), path)
    head, name = os.path.split(os.path.abspath(path))
    return os.path.join(os.path.realpath(head), name)


def source_name(name):
    """The module's file for one of its compiled forms."""
    folder, base = os.path.split(name)
    if os.path.basename(folder) == "__pycache__" and base.endswith(".pyc"):
        return os.path.join(os.path.dirname(folder), base.partition(".")[0] + ".py")
    return name


def is_the_jobs_own(path, folder):
    """Whether no link on the way leads out of the captured folder: the script wrote it there itself."""
    return os.path.realpath(path).startswith(os.path.realpath(folder) + "/")
