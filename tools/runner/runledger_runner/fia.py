"""The fia contract: a script without functions, whose variables stand in its text, and that writes to /output."""

import ast
import json
import os
import sys

from .assignments import RUN_NAMES, literal_assignments, replaced, value_of_run
from .captured import compile_source, new_module, read_bytes, source_encoding, source_text
from .contract import ContractRun
from .printing import flush_printing, keep_tail_of_stdout
from .templates import keep_text_as_run
from .values import as_json, same_value

OUTPUT = "/output"
SUCCESSFUL = "successful"


class FiaRun(ContractRun):
    def __init__(self, job, named):
        super().__init__(job, named)
        self.module = None
        self.printed = None

    def prepare(self):
        self.job.captured.rewrite = OutputDirectory(self.job.output_directory.rstrip("/")).put_into

    def execute(self, finder):
        job = self.job
        source = read_bytes(job.script)
        compile_source(source, job.script_path)  # the scientist's mistakes, in the scientist's lines
        source = self.with_values(source)
        keep_text_as_run(job, job.script_name, source)
        code = compile_source(source, job.script_path, job.captured.rewrite)
        sys.argv = [job.script]
        self.module = new_module("__main__", job.script)
        sys.modules["__main__"] = self.module
        self.printed = keep_tail_of_stdout()
        exec(code, self.module.__dict__)
        return {"outcome": "succeeded"}

    def with_values(self, source):
        """The bytes with the run's values in place of the script's."""
        job, text = self.job, source_text(source)
        values, replacements = job.values(), []
        for assignment in literal_assignments(text):
            if assignment.name in values:
                value = values.pop(assignment.name)
            else:
                value = value_of_run(job, assignment) if assignment.name in RUN_NAMES else None
                if value is None:
                    continue
            if same_value(as_json(assignment.value), value):
                continue
            if type(assignment.value) is tuple and type(value) is list:
                value = tuple(value)
            replacements.append((assignment, value))
        for name in sorted(values):
            self.named.remark("the script assigns no literal to %s at its top level, so its value was not given" % name)
        if not replacements:
            return source
        return replaced(text, replacements).encode(source_encoding(source), "backslashreplace")

    def judge(self, result):
        answer = self.last_line()
        if answer and result["outcome"] == "succeeded" and answer["status"].strip().lower() != SUCCESSFUL:
            message = answer.get("status_message")
            result = {
                "outcome": "failed",
                "kind": "script_exception",
                "message": message if isinstance(message, str) and message else "the script's status is %s" % answer["status"],
                "traceback": answer["stacktrace"] if isinstance(answer.get("stacktrace"), str) else "",
                "exit_status": 1,
            }
        output = self.module.__dict__.get("output") if self.module else None
        self.name(output, "output")
        if answer:
            self.name(answer.get("output_files"), "output_files")
        return result

    def name(self, value, what):
        if value is None:
            return
        entries = self.named.texts_of(value)
        if entries is None:
            self.named.remark("%s is a %s, which names no files: a text or a list of texts does" % (what, type(value).__name__))
            return
        for entry in entries:
            if entry == OUTPUT or entry.startswith(OUTPUT + "/"):
                entry = self.job.output_directory + entry[len(OUTPUT) :].lstrip("/")
            self.named.add(entry)

    def last_line(self):
        """The JSON object with a status on the last line printed; None when it is something else."""
        if self.printed is None:
            return None
        flush_printing()
        try:
            answer = json.loads(self.printed.last_line())
        except (ValueError, RecursionError):
            return None
        return answer if isinstance(answer, dict) and isinstance(answer.get("status"), str) else None


class OutputDirectory:
    """Makes the literal texts "/output" and "/output/..." of a script mean the job's output directory."""

    def __init__(self, directory):
        self.directory = directory

    def put_into(self, tree):
        later_parts = set()  # of an f-string: what follows a value is no beginning of a path
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                later_parts.update(id(part) for part in node.values[1:])
                continue
            field = {"Constant": "value", "Str": "s", "Bytes": "s"}.get(type(node).__name__)  # Str, Bytes: before Python 3.8
            if field and id(node) not in later_parts:
                value = getattr(node, field)
                if isinstance(value, str):
                    setattr(node, field, self.meant(value, OUTPUT, self.directory))
                elif isinstance(value, bytes):
                    setattr(node, field, self.meant(value, OUTPUT.encode(), os.fsencode(self.directory)))

    @staticmethod
    def meant(text, output, directory):
        if text == output or text.startswith(output + output[:1]):
            return directory + text[len(output) :]
        return text
