"""What a script names as its results, held against what is there."""

import os

from .values import bounded, path_text

INDEX_LIMIT = 50000  # files of the output directory that a bare name is looked for among
TEXTS_LIMIT = 5000  # entries of a returned list that the record keeps
REMARKS_LIMIT = 100


class NamedResults:
    """Collects the files that are there (`declared`), directories outside (`extra_directories`), and what is odd (`remarks`)."""

    def __init__(self, output_directory):
        self.output = os.path.normpath(output_directory)
        self.real_output = os.path.realpath(self.output)
        self.declared = []
        self.extra_directories = []
        self.remarks = []
        self.index = None  # base name -> files of the output directory, made when it is needed
        self.endings = {}  # folder below it -> name without its ending -> files, likewise
        self.names = set()
        self.seen = set()

    def remark(self, text):
        if len(self.remarks) < REMARKS_LIMIT and text not in self.remarks:
            self.remarks.append(text)

    def texts_of(self, value):
        """The names in a text, a path, or a collection of these; None when it is something else."""
        if isinstance(value, (str, bytes, os.PathLike)):
            return [os.fsdecode(value)]
        if isinstance(value, (list, tuple, set, frozenset)) and all(isinstance(entry, (str, bytes, os.PathLike)) for entry in value):
            entries = [os.fsdecode(entry) for entry in value]
            return entries if isinstance(value, (list, tuple)) else sorted(entries)
        return None

    def kept_texts(self, entries):
        kept, left_out = bounded([path_text(entry) for entry in entries[:TEXTS_LIMIT]], TEXTS_LIMIT)
        left_out += len(entries) - len(entries[:TEXTS_LIMIT])
        if left_out:
            self.remark("main returned %d more names than are kept" % left_out)
        return kept

    def add(self, entry, directories=False):
        """One name. `directories`: a directory outside is asked for as a copy of the output."""
        if not entry or entry in self.names:
            return
        self.names.add(entry)
        if "\0" in entry:
            self.remark("named as a result, but no file name: %r" % entry[:200])
            return
        path = os.path.normpath(os.path.join(self.output, entry))
        below = self.below_output(path)
        if below is None:
            self.add_outside(entry, path, directories)
        elif below != ".":
            self.add_inside(entry, below)

    def below_output(self, path):
        """The path below the output directory, however the script spells it; None when it is elsewhere."""
        for root, spelled in ((self.output, path), (self.real_output, os.path.realpath(path))):
            if spelled == root:
                return "."
            if spelled.startswith(root + "/"):
                return spelled[len(root) + 1 :]
        return None

    def add_outside(self, entry, path, directories):
        if os.path.isfile(path):
            self.declare(path)
        elif directories and (os.path.isdir(path) or not os.path.splitext(path)[1]):
            if path not in self.extra_directories:
                self.extra_directories.append(path)
        else:
            self.remark_missing(entry)

    def add_inside(self, entry, below):
        path = os.path.join(self.output, below)
        if os.path.isfile(path):
            self.declare(below)
        elif os.path.isdir(path):
            for file in self.files_below(below):
                self.declare(file)
        else:
            found = self.with_extension(below) or self.indexed().get(below, [])
            for file in found:
                self.declare(file)
            if not found:
                self.remark_missing(entry)

    def declare(self, path):
        text = path_text(path)
        if text not in self.seen:
            self.seen.add(text)
            self.declared.append(text)

    def remark_missing(self, entry):
        shown = entry[len(self.output) + 1 :] if entry.startswith(self.output + "/") else entry
        self.remark("named as a result, but not made: %s" % path_text(shown))

    def with_extension(self, below):
        """NAME.* for a name that was given without its extension."""
        folder, name = os.path.split(below)
        if folder not in self.endings:
            known = self.endings[folder] = {}
            try:
                entries = sorted(os.listdir(os.path.join(self.output, folder)))
            except OSError:
                entries = []
            for entry in entries:
                for stem in stems_of(entry):
                    known.setdefault(stem, []).append(os.path.join(folder, entry))
        return [file for file in self.endings[folder].get(name, []) if os.path.isfile(os.path.join(self.output, file))]

    def files_below(self, below):
        count = 0
        for folder, _, names in os.walk(os.path.join(self.output, below)):
            for name in sorted(names):
                yield os.path.relpath(os.path.join(folder, name), self.output)
                count += 1
                if count == INDEX_LIMIT:
                    return

    def indexed(self):
        """Scripts that list what is new give base names of files that lie in folders below."""
        if self.index is None:
            self.index = {}
            for file in self.files_below("."):
                name = os.path.basename(file)
                for key in {name, os.path.splitext(name)[0]}:
                    self.index.setdefault(key, []).append(file)
        return self.index


def stems_of(name):
    """The name without its last ending, its last two, and so on."""
    stem = os.path.splitext(name)[0]
    while stem != name:
        yield stem
        name, stem = stem, os.path.splitext(stem)[0]
