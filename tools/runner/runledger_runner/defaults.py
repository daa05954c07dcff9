"""A script's own variables, read without running the script."""

import os
import sys

from .assignments import is_variable, literal_assignments
from .captured import CapturedFinder, CapturedFolder, compile_source, new_module, read_bytes, source_text
from .failures import message_of
from .templates import template_defaults, template_places, text_of
from .values import TEMPLATE_SUFFIX, VARIABLE_GROUPS, as_json, clean, one_line, python_text

HELP_LIMIT = 4000  # characters of one variable's help text
FOLDERS_LIMIT = 8  # deep, of captured packages


def read_defaults(contract, folder, script_path):
    """What the captured script offers: {"variables": [...], "none": it can have none, "problem": text or None}.

    None: no such contract.
    """
    read = {"isis": reduce_vars, "sns": template_variables, "fia": assigned_variables}.get(contract)
    if read is None:
        return None
    captured = CapturedFolder(folder, os.path.dirname(script_path), captured_files(folder))
    try:
        variables, problems = read(captured, os.path.basename(script_path))
    except NoVariables:
        return {"variables": [], "none": True, "problem": None}
    except SyntaxError as error:
        variables, problems = [], [message_of(error)]
    except OSError as error:
        variables, problems = [], [str(error)]
    return {"variables": variables, "none": False, "problem": one_line(clean("; ".join(problems))) if problems else None}


class NoVariables(Exception):
    """This script can have no variables."""


def captured_files(folder):
    """Name below the folder -> path, of the files laid out there; links lead to what was not captured."""
    files = {}
    for place, folders, names in os.walk(folder):
        if place[len(folder) :].count("/") >= FOLDERS_LIMIT:
            del folders[:]
        for name in names:
            path = os.path.join(place, name)
            if not os.path.islink(path):
                files[os.path.relpath(path, folder)] = path
    return files


def variable(name, value, group="standard", help_text=""):
    return {"group": group, "name": name, "value": value, "help": help_text}


# ---- isis ----


def reduce_vars(captured, script_name):
    """Runs reduce_vars.py; what is wrong in one group leaves the other."""
    if not os.path.isfile(os.path.join(captured.folder, "reduce_vars.py")):
        raise NoVariables
    captured.copies.setdefault("reduce_vars.py", os.path.join(captured.folder, "reduce_vars.py"))
    shown_path = captured.original_path("reduce_vars.py")
    sys.dont_write_bytecode = True
    sys.path[0:1] = [captured.folder, captured.original]
    sys.meta_path.insert(0, CapturedFinder(captured))
    module = new_module("reduce_vars", captured.copies["reduce_vars.py"])
    sys.modules["reduce_vars"] = module
    try:
        exec(captured.compile("reduce_vars.py"), module.__dict__)
    except SystemExit as error:
        return [], ["%s ended itself with sys.exit(%s)" % (shown_path, "" if error.code is None else error.code)]
    except BaseException as error:
        where = "" if isinstance(error, SyntaxError) else "%s, line %d: " % (shown_path, line_in(error, shown_path))
        return [], [where + message_of(error)]

    variables, problems = [], []
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
            shown_help = "" if help_text is None else clean(str(help_text))[:HELP_LIMIT]
            variables.append(variable(name, as_json(value), group, shown_help))
    return variables, problems


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


# ---- sns ----


def template_variables(captured, script_name):
    """The places of a template, with the values that a filled script beside it has there."""
    if not script_name.endswith(TEMPLATE_SUFFIX):
        raise NoVariables
    text = text_of(read_bytes(os.path.join(captured.folder, script_name)))
    filled_name = script_name[: -len(TEMPLATE_SUFFIX)]
    stem, extension = os.path.splitext(filled_name)
    defaults = {}
    for name in (stem + "_default" + extension, filled_name):
        path = os.path.join(captured.folder, name)
        if os.path.isfile(path):
            defaults = template_defaults(text, text_of(read_bytes(path)))
            break
    variables = []
    for name in template_places(text):
        place = variable(name, defaults.get(name))
        if name not in defaults:
            del place["value"]
        variables.append(place)
    return variables, []


# ---- fia ----


def assigned_variables(captured, script_name):
    source = read_bytes(os.path.join(captured.folder, script_name))
    compile_source(source, captured.original_path(script_name))
    assignments = literal_assignments(source_text(source))
    return [variable(each.name, as_json(each.value)) for each in assignments if is_variable(each.name)], []
