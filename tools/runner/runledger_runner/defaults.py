"""The script's own variables: what reduce_vars.py offers, read without running the script."""

import os
import sys

from .captured import compile_captured, new_module
from .failures import message_of
from .values import VARIABLE_GROUPS, as_json, clean, one_line, python_text

HELP_LIMIT = 4000  # characters of one variable's help text


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
