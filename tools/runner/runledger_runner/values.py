"""Values and text on their way to and from JSON."""

import json
import os

MESSAGE_LIMIT = 1000  # characters of a message; the traceback has the rest
NESTING_LIMIT = 20  # lists within lists in a variable's value
BYTES_LIMIT = 1 << 20  # of one list in the result
TEMPLATE_SUFFIX = ".template"
VARIABLE_GROUPS = (("standard", "standard_vars"), ("advanced", "advanced_vars"))


def as_json(value):
    """The value where JSON can say it without loss of type, else {"python": its repr}; tuples become lists.

    {"url": TEXT, "default": TEXT} names a file to fetch and is kept as it is.
    """
    if type(value) is dict and set(value) == {"url", "default"}:
        if all(type(text) is str and clean(text) == text for text in value.values()):
            return dict(value)
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


def is_left_to_script(value):
    """A value that has no JSON form: the script keeps its own."""
    return isinstance(value, dict) and set(value) == {"python"}


def is_url(value):
    return isinstance(value, dict) and "url" in value


def python_text(value):
    try:
        return clean(repr(value))[:MESSAGE_LIMIT]
    except Exception:
        return "<%s without a printable form>" % type(value).__name__


def same_value(left, right):
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)  # tells 1, 1.0 and True apart


def safe_text(value):
    try:
        return str(value)
    except Exception:
        return ""


def one_line(text):
    line = " ".join(text.split())
    return line if len(line) <= MESSAGE_LIMIT else line[: MESSAGE_LIMIT - 4] + " ..."


def clean(text):
    """Text that is valid UTF-8: lone surrogates become visible escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def path_text(path):
    """A path as the record has it: a byte that is not UTF-8 becomes its two hexadecimal digits after a backslash and x."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def bounded(entries, limit):
    """The first entries that a result can hold, and how many it cannot."""
    kept, size = [], 0
    for entry in entries[:limit]:
        size += len(json.dumps(entry))
        if size > BYTES_LIMIT:
            break
        kept.append(entry)
    return kept, len(entries) - len(kept)
