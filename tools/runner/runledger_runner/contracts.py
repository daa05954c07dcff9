"""How a script is called: the contracts facilities have with theirs."""

import os
import sys
from types import ModuleType

from .captured import CapturedLoader, captured_spec, compile_captured, new_module
from .values import VARIABLE_GROUPS, as_json, same_value


class ContractError(Exception):
    """The script is not what its contract asks for; the text says what is missing."""


# ---- isis ----


def run_isis(job, finder):
    """Imports the script as `reduce`, gives it the run's variables, calls main(input_file=, output_dir=)."""
    sys.path[:0] = [job.captured_folder, job.original_folder]
    sys.argv = [job.script_path]
    loader = CapturedLoader(job.script, job.script_path)
    spec = captured_spec("reduce", loader)
    module = new_module("reduce", job.script_path, spec)
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
    kept, remark = keep_returned(returned)
    return {"outcome": "succeeded", "returned": kept, "message": remark}


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
            loader.loaded = lambda late: update_dictionaries(late, job.variables)
    source = getattr(module, "web_var", None)
    if not isinstance(source, ModuleType):
        source = own
    if source is not None:
        update_dictionaries(source, job.variables)
    if own is not None and own is not source:
        update_dictionaries(own, job.variables)

    fresh = ModuleType("web_var")
    if source is not None:
        fresh.__dict__.update((name, value) for name, value in vars(source).items() if not name.startswith("__"))
    else:
        update_dictionaries(fresh, job.variables)
    module.web_var = fresh


def update_dictionaries(holder, variables):
    """Sets the values in holder.standard_vars and holder.advanced_vars, in place where these exist."""
    for group, attribute in VARIABLE_GROUPS:
        given = [(variable["name"], variable["value"]) for variable in variables if variable["group"] == group]
        dictionary = getattr(holder, attribute, None)
        if dictionary is None:
            dictionary = {}
            setattr(holder, attribute, dictionary)
        if given and not isinstance(dictionary, dict):
            raise ContractError(
                "%s is a %s, not a dict, in %s: the values of this run cannot be put there"
                % (attribute, type(dictionary).__name__, getattr(holder, "__file__", holder.__name__))
            )
        for name, value in given:
            if left_to_script(value):
                continue
            present = dictionary.get(name)
            if name in dictionary and same_value(as_json(present), value):
                continue  # the script's own object: a tuple stays a tuple
            dictionary[name] = tuple(value) if type(present) is tuple and type(value) is list else value


def left_to_script(value):
    return isinstance(value, dict) and set(value) == {"python"}


def in_skip_runs(skip_runs, run_number):
    if run_number is None or not isinstance(skip_runs, (list, tuple, set, frozenset)):
        return False
    return str(run_number) in {str(entry).strip() for entry in skip_runs}


def keep_returned(returned):
    """What main returned, as (value for the record, remark): None, a text or a list of texts are kept."""
    if returned is None or isinstance(returned, str):
        return returned, None
    if isinstance(returned, (list, tuple)) and all(isinstance(entry, (str, os.PathLike)) for entry in returned):
        return [os.fsdecode(entry) for entry in returned], None
    if isinstance(returned, os.PathLike):
        return os.fsdecode(returned), None
    return None, "main returned a %s, which is not kept: return None, a text or a list of texts" % type(returned).__name__


# ---- sns ----


def run_sns(job, finder):
    """Runs the script as `python3 reduce_INST.py FILE OUTDIR/` would."""
    if len(job.input_files) != 1:
        raise ContractError(
            "%s takes one data file in the sns contract, this job has %d" % (job.script_path, len(job.input_files))
        )
    sys.path[:0] = [job.original_folder, job.captured_folder]
    sys.argv = [job.script_path, job.input_files[0], job.output_directory]
    module = new_module("__main__", job.script_path)
    sys.modules["__main__"] = module
    exec(compile_captured(job.script, job.script_path), module.__dict__)
    return {"outcome": "succeeded"}


CONTRACTS = {"isis": run_isis, "sns": run_sns}
