"""Code as it was captured: the recorded bytes run from the job's folder, under the name of the file the scientist keeps."""

import io
import os
from importlib.machinery import ModuleSpec
from types import ModuleType


class CapturedFolder:
    """A script's captured folder beside the one it stands for."""

    def __init__(self, folder, original, copies):
        self.folder = folder
        self.original = original
        self.copies = copies  # name below the folder -> path of the captured copy
        self.rewrite = None  # called with the syntax tree of each captured file before it is compiled

    def original_path(self, name):
        return os.path.join(self.original, name)

    def original_of(self, path):
        """How the scientist knows a file of the captured folder; other paths as they are."""
        below = path[len(self.folder) + 1 :] if path.startswith(self.folder + "/") else None
        return path if below is None else self.original_path(below)

    def compile(self, name):
        return compile_source(read_bytes(self.copies[name]), self.original_path(name), self.rewrite)


class CapturedLoader:
    """Loads a module from its captured copy."""

    def __init__(self, captured, name):
        self.captured = captured
        self.name = name
        self.copy = captured.copies[name]
        self.is_package_file = os.path.basename(name) == "__init__.py"
        self.loaded = None  # called with the module once it is loaded

    def is_inside(self, package_path):
        """Whether a package with these folders has this module."""
        folder = os.path.dirname(self.copy)
        return (os.path.dirname(folder) if self.is_package_file else folder) in list(package_path)

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        exec(self.captured.compile(self.name), module.__dict__)
        if self.loaded:
            self.loaded(module)

    def is_package(self, name):
        return self.is_package_file

    def get_source(self, name):
        return source_text(read_bytes(self.copy))


class CapturedFinder:
    """Finds captured modules before anything on sys.path: a script that puts its own folder first still gets them."""

    def __init__(self, captured):
        self.captured = captured
        self.loaders = {}
        for name in captured.copies:
            if name.endswith("/__init__.py"):
                self.loaders[name[: -len("/__init__.py")].replace("/", ".")] = CapturedLoader(captured, name)
            elif name.endswith(".py"):
                self.loaders.setdefault(name[: -len(".py")].replace("/", "."), CapturedLoader(captured, name))

    def find_spec(self, name, path=None, target=None):
        loader = self.loaders.get(name)
        if loader is None:
            return None
        if path is not None and not loader.is_inside(path):
            return None  # a module of another package with the same name
        return captured_spec(name, loader)


def captured_spec(name, loader):
    spec = ModuleSpec(name, loader, origin=loader.copy, is_package=loader.is_package_file)
    spec.has_location = True  # gives the module its __file__
    if loader.is_package_file:  # what was not captured of the package is still found
        spec.submodule_search_locations = [
            os.path.dirname(loader.copy),
            os.path.dirname(loader.captured.original_path(loader.name)),
        ]
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


def compile_source(source, shown_path, rewrite=None):
    """Code of a file's bytes; a syntax error names shown_path and a line, whatever is wrong with the bytes."""
    try:
        if rewrite is None:
            return compile(source, shown_path, "exec", dont_inherit=True)
        from ast import PyCF_ONLY_AST

        tree = compile(source, shown_path, "exec", flags=PyCF_ONLY_AST, dont_inherit=True)
        rewrite(tree)
        return compile(tree, shown_path, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise located(error, source, shown_path)
    except ValueError as error:  # NUL bytes, before Python 3.12
        line = source[: max(source.find(b"\0"), 0)].count(b"\n") + 1
        raise SyntaxError(str(error), (shown_path, line, 0, None)) from None


def located(error, source, shown_path):
    """The same syntax error, with file and line filled in where the compiler leaves them out (bad encoding)."""
    if error.filename in (None, "<string>"):
        error.filename = shown_path
    if "codec can't decode" in str(error.msg) or not error.lineno:
        try:
            source.decode("utf-8")
        except UnicodeDecodeError as decoding:
            error.lineno = source[: decoding.start].count(b"\n") + 1
            error.offset = None
            error.text = None
    return error


def source_encoding(source):
    from tokenize import detect_encoding

    return detect_encoding(io.BytesIO(source).readline)[0]


def source_text(source):
    try:
        return io.TextIOWrapper(io.BytesIO(source), encoding=source_encoding(source), errors="replace").read()
    except (SyntaxError, LookupError):
        return source.decode("utf-8", "replace")
