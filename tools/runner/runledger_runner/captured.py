"""Code as it was captured: the recorded bytes run under the name of the file the scientist keeps."""

import io
import os
from importlib.machinery import ModuleSpec
from types import ModuleType


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


def new_module(name, shown_path, spec=None):
    module = ModuleType(name)
    module.__file__ = shown_path
    module.__builtins__ = __builtins__
    if spec is not None:
        module.__spec__ = spec
        module.__loader__ = spec.loader
        module.__package__ = ""
    return module


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
