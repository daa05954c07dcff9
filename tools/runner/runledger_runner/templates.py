"""Scripts with places for values: `reduce_INST.py.template`, filled as string.Template fills."""

import ast
import os
import re

from .captured import read_bytes
from .contract import ContractError
from .printing import write_whole_bytes
from .values import TEMPLATE_SUFFIX, as_json, is_left_to_script, is_url

REDUCTION_LOG = "reduction_log"
PLACE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)\}|(?P<bare>[A-Za-z_][A-Za-z0-9_]*))")
LINE_LIMIT = 2000  # characters of a line that is searched for a default


# Any bytes come back as they were.
def text_of(data):
    return data.decode("utf-8", "surrogateescape")


def bytes_of(text):
    return text.encode("utf-8", "surrogateescape")


def place_name(match):
    return match.group("braced") or match.group("bare")


def text_in_place(value):
    """A text as it is, everything else as Python writes it. Quotes are the template's own."""
    if is_url(value):
        value = value.get("path") or value.get("default")
    return value if isinstance(value, str) else repr(value)


def fill_template(job):
    """Puts the filled text in place of the template's, keeps it beside the reduction log, and returns its name."""
    name = job.script_name[: -len(TEMPLATE_SUFFIX)]
    values = {variable["name"]: variable["value"] for variable in job.variables}
    filled = bytes_of(filled_text(text_of(read_bytes(job.script)), values, job.script_path))
    keep_text_as_run(job, name, filled)
    copy = os.path.join(job.captured.folder, name)
    write_whole_bytes(copy, filled)
    job.captured.copies[job.script_name] = copy
    job.captured.copies[name] = copy
    return name


def filled_text(text, values, shown_path):
    missing = []

    def fill(match):
        if match.group("dollar"):
            return "$"
        name = place_name(match)
        value = values.get(name)
        if name not in values or is_left_to_script(value):
            missing.append("line %d: %s" % (text.count("\n", 0, match.start()) + 1, match.group(0)))
            return match.group(0)
        return text_in_place(value)

    filled = PLACE.sub(fill, text)
    if missing:
        raise ContractError(
            "%s, %s: no value is set for it%s; set one, or write $$ where a plain $ is meant"
            % (shown_path, missing[0], " (and %d places more)" % (len(missing) - 1) if len(missing) > 1 else "")
        )
    return filled


def keep_text_as_run(job, name, text):
    """OUTPUT/reduction_log/NAME: what ran is not what the record has as the script's text."""
    folder = job.output_directory + REDUCTION_LOG
    os.makedirs(folder, exist_ok=True)
    write_whole_bytes(os.path.join(folder, os.path.basename(name)), text)


# ---- the values in its places where nobody set one ----


def template_places(text):
    """The names in the order in which they stand."""
    names = []
    for match in PLACE.finditer(text):
        name = place_name(match)
        if name and name not in names:
            names.append(name)
    return names


def template_defaults(text, filled_script):
    """name -> value that a filled script has in the template's places; names without one are left out."""
    script_lines = filled_script.split("\n")
    defaults = {}
    for number, line in enumerate(text.split("\n")):
        places = [match for match in PLACE.finditer(line) if place_name(match)]
        between = patterns_between(line, places) if places and len(line) <= LINE_LIMIT else None
        if between is None:
            continue
        for candidate in script_lines[number : number + 1] + script_lines:  # the same line first
            values = values_between(between, candidate) if len(candidate) <= LINE_LIMIT else None
            if values is not None:
                for match, value in zip(places, values):
                    defaults.setdefault(place_name(match), value_in_place(value, line, match))
                break
    return defaults


def patterns_between(line, places):
    """What stands around the places of a line, blanks aside; None when that is too little to know the line again by."""
    parts, end = [], 0
    for match in places:
        parts.append(line[end : match.start()])
        end = match.end()
    parts.append(line[end:])
    if not "".join(parts).strip() or not all(part.strip() for part in parts[1:-1]):
        return None
    quoted = [r"\s*".join(re.escape(word) for word in re.findall(r"\w+|[^\w\s]", part.replace("$$", "$"))) for part in parts]
    return [re.compile(r"\s*" + quoted[0])] + [re.compile(part) for part in quoted[1:-1]] + [re.compile(quoted[-1] + r"\s*\Z")]


def values_between(between, line):
    """The texts in the places of a filled line; None when it is another line. Never goes back: linear in the line."""
    values, found = [], between[0].match(line)
    for pattern in between[1:]:
        if found is None:
            return None
        end = found.end()
        found = pattern.search(line, end)
        values.append(line[end : found.start()].strip() if found else "")
    return values if found else None


def value_in_place(text, line, match):
    """Between quotes it is a text; elsewhere the literal it is, when filling it in again gives the same."""
    before = line[: match.start()]
    if before.count('"') % 2 == 1 or before.count("'") % 2 == 1:
        return text
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    known = as_json(value)
    return text if isinstance(value, str) or isinstance(known, dict) else known
