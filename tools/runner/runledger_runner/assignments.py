"""The variables of a script without functions: what it assigns at its top level, read and replaced in its text."""

import ast
import io
import tokenize

# Names that say what the run is. They are filled in for each run and are nobody's variables.
RUN_NUMBER_NAMES = ("runno", "run_number", "run_numbers", "runs", "input_runs")
INPUT_FILE_NAMES = ("input_file", "input_files")
EXPERIMENT_NAMES = ("rb_number", "experiment_number")
RUN_NAMES = RUN_NUMBER_NAMES + INPUT_FILE_NAMES + EXPERIMENT_NAMES

NO_VARIABLES = ("output",)  # the script's answer
BESIDE_STATEMENTS = (tokenize.COMMENT, tokenize.NL, tokenize.ENCODING)


class Assignment:
    """`name = literal` at the top level. start and end: (line from 1, column) of the literal."""

    def __init__(self, name, value, start, end):
        self.name = name
        self.value = value
        self.start = start
        self.end = end


def literal_assignments(text):
    """The first assignment of a literal to each name, in their order; text is Python that compiles, lines end in \\n."""
    lines = text.split("\n")
    found = {}
    for tokens in top_level_statements(text):
        if len(tokens) < 3 or tokens[0].type != tokenize.NAME:
            continue
        equals = [index for index, token in enumerate(tokens) if token.string == "=" and token.type == tokenize.OP]
        is_plain = tokens[1].string == "="
        is_annotated = tokens[1].string == ":" and equals
        if not (is_plain or is_annotated) or equals[0] + 1 == len(tokens):
            continue
        name, start, end = tokens[0].string, tokens[equals[0] + 1].start, tokens[-1].end
        if name in found:
            continue
        try:
            value = ast.literal_eval("(\n%s\n)" % between(lines, start, end))
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
        found[name] = Assignment(name, value, start, end)
    return list(found.values())


def top_level_statements(text):
    """The tokens of each simple statement that stands in no block and no brackets."""
    depth, brackets, in_block, tokens = 0, 0, False, []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.INDENT:
            depth += 1
        elif token.type == tokenize.DEDENT:
            depth -= 1
        elif token.type in (tokenize.NEWLINE, tokenize.ENDMARKER) or (token.string == ";" and not brackets):
            if tokens and depth == 0 and not in_block and not opens_block(tokens):
                yield tokens
            # The rest of `if x: a = 1; b = 2` belongs to the if.
            in_block = token.string == ";" and (in_block or opens_block(tokens))
            tokens = []
        elif token.type not in BESIDE_STATEMENTS:
            brackets += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(token.string, 0) if token.type == tokenize.OP else 0
            tokens.append(token)


def opens_block(tokens):
    return bool(tokens) and tokens[0].string in (
        "if", "elif", "else", "for", "while", "with", "try", "except", "finally", "def", "class", "async",
    )


def between(lines, start, end):
    (first, first_column), (last, last_column) = start, end
    if first == last:
        return lines[first - 1][first_column:last_column]
    return "\n".join([lines[first - 1][first_column:]] + lines[first : last - 1] + [lines[last - 1][:last_column]])


def replaced(text, replacements):
    """The text with other literals: [(Assignment, value)]. No line moves."""
    lines = text.split("\n")
    for assignment, value in sorted(replacements, key=lambda pair: pair[0].start, reverse=True):
        (first, first_column), (last, last_column) = assignment.start, assignment.end
        literal = repr(value) if first == last else "(%r%s)" % (value, "\n" * (last - first))
        lines[first - 1 : last] = (lines[first - 1][:first_column] + literal + lines[last - 1][last_column:]).split("\n")
    return "\n".join(lines)


def is_variable(name):
    return not name.startswith("_") and name not in NO_VARIABLES and name not in RUN_NAMES


def value_of_run(job, assignment):
    """What a name of RUN_NAMES is for this run, in the form the script has it: a number, a text, or a list of these.

    None: it is not known, and the script keeps what it has.
    """
    is_list = isinstance(assignment.value, (list, tuple))
    model = assignment.value[0] if is_list and assignment.value else assignment.value
    if assignment.name in INPUT_FILE_NAMES:
        values = list(job.input_files)
    elif assignment.name in EXPERIMENT_NAMES:
        values = [int(job.experiment) if type(model) is int and job.experiment.isdigit() else job.experiment] if job.experiment else []
    else:
        values = [str(number) if isinstance(model, str) else number for number in job.run_numbers]
    if not values:
        return None
    return values if is_list or len(values) > 1 else values[0]
