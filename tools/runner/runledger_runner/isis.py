"""The isis contract: reduce.py with main(input_file, output_dir), and reduce_vars.py beside it."""

import os
import sys
from types import ModuleType

from .captured import CapturedLoader, captured_spec, new_module
from .contract import ContractError, ContractRun
from .values import VARIABLE_GROUPS, as_json, is_left_to_script, path_text, same_value


class IsisRun(ContractRun):
    """Imports the script as `reduce`, gives it the run's variables, calls main(input_file=, output_dir=)."""

    def execute(self, finder):
        job = self.job
        sys.argv = [job.script]
        loader = CapturedLoader(job.captured, job.script_name)
        spec = captured_spec("reduce", loader)
        module = new_module("reduce", job.script, spec)
        sys.modules["reduce"] = module
        loader.exec_module(module)
        give_variables(module, job, finder)

        if in_skip_runs(getattr(module, "SKIP_RUNS", None), job.run_number):
            return {"outcome": "skipped", "message": "run %s is in the script's SKIP_RUNS" % job.run_number}
        main = getattr(module, "main", None)
        if not callable(main):
            raise ContractError(missing_main(job, module, main))
        inputs = job.input_files[0] if len(job.input_files) == 1 else list(job.input_files)
        try:
            returned = main(input_file=inputs, output_dir=job.output_directory)
        except TypeError as error:
            if error.__traceback__.tb_next is None:  # raised by the call, not inside main
                raise ContractError(
                    "%s: main cannot be called as main(input_file=..., output_dir=...): %s; give it these two parameters"
                    % (job.script_path, error)
                ) from None
            raise
        return {"outcome": "succeeded", "main_returned": returned}

    def judge(self, result):
        returned = result.pop("main_returned", None)
        if returned is None:
            return result
        entries = self.named.texts_of(returned)
        if entries is None:
            self.named.remark(
                "main returned a %s, which is not kept: return None, a text or a list of texts" % type(returned).__name__
            )
            return result
        for entry in entries:
            self.named.add(entry, directories=True)
        if isinstance(returned, (str, bytes, os.PathLike)):
            result["returned"] = path_text(entries[0] if entries else "")
        else:
            result["returned"] = self.named.kept_texts(entries)
        return result


def missing_main(job, module, main):
    what = "has no main(input_file, output_dir)" if main is None else "has a main that is not a function"
    others = " It has a reduce(), which this contract does not call." if callable(getattr(module, "reduce", None)) else ""
    return "%s %s, which the isis contract calls.%s Add main and reduce the run again." % (job.script_path, what, others)


def give_variables(module, job, finder):
    """Puts the run's values where a script may look: web_var, reduce_vars, and the dictionaries it took from there."""
    own = sys.modules.get("reduce_vars")
    if own is None:  # not imported yet; a main() that imports it later finds the values too
        loader = finder.loaders.get("reduce_vars")
        if loader:
            loader.loaded = lambda late: update_dictionaries(late, job)
    source = getattr(module, "web_var", None)
    if not isinstance(source, ModuleType):
        source = own
    if source is not None:
        update_dictionaries(source, job)
    if own is not None and own is not source:
        update_dictionaries(own, job)

    fresh = ModuleType("web_var")
    if source is not None:
        fresh.__dict__.update((name, value) for name, value in vars(source).items() if not name.startswith("__"))
    else:
        update_dictionaries(fresh, job)
    module.web_var = fresh


def update_dictionaries(holder, job):
    """Sets the values in holder.standard_vars and holder.advanced_vars, in place where these exist."""
    for group, attribute in VARIABLE_GROUPS:
        given = [(variable["name"], variable["value"]) for variable in job.variables if variable["group"] == group]
        dictionary = getattr(holder, attribute, None)
        if dictionary is None:
            dictionary = {}
            setattr(holder, attribute, dictionary)
        if given and not isinstance(dictionary, dict):
            raise ContractError(
                "%s is a %s, not a dict, in %s: the values of this run cannot be put there"
                % (attribute, type(dictionary).__name__, job.captured.original_of(getattr(holder, "__file__", holder.__name__)))
            )
        for name, value in given:
            if is_left_to_script(value):
                continue
            present = dictionary.get(name)
            if name in dictionary and same_value(as_json(present), value):
                continue  # the script's own object: a tuple stays a tuple
            dictionary[name] = tuple(value) if type(present) is tuple and type(value) is list else value


def in_skip_runs(skip_runs, run_number):
    if run_number is None or not isinstance(skip_runs, (list, tuple, set, frozenset)):
        return False
    return str(run_number) in {str(entry).strip() for entry in skip_runs}
