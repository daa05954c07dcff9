"""Runs one reduction script for workerd, in the interpreter of its instrument, and says how it ended.

    PYTHON run_script.py JOB.json                                                                 one attempt at a job
    PYTHON run_script.py --defaults CONTRACT --folder CAPTURED_FOLDER --script SCRIPT_PATH OUT.json    a script's own variables

docs/contracts/runner.md describes JOB.json, the result and every outcome. Any Python from 3.6 on, standard library
only: the interpreter belongs to the instrument, not to us.

The text that runs is the captured copy, byte for byte what the ledger recorded, laid out in a folder of the job; code and
tracebacks name the file the scientist keeps.

The work is done by the modules of runledger_runner beside this file: Python keeps compiled modules, and compiles a file
that is run anew each time.
"""

import os
import sys

from runledger_runner.printing import complain, open_printing, write_whole

USAGE = """usage: run_script.py JOB.json
       run_script.py --defaults CONTRACT --folder CAPTURED_FOLDER --script SCRIPT_PATH OUT.json"""


def main(arguments):
    open_printing()
    if len(arguments) == 1 and not arguments[0].startswith("-"):
        from runledger_runner.attempt import run_attempt

        return run_attempt(arguments[0])
    if len(arguments) == 7 and arguments[0::2][:3] == ["--defaults", "--folder", "--script"]:
        from runledger_runner.defaults import read_defaults

        contract, folder, script_path, out = arguments[1::2] + arguments[6:]
        out = os.path.abspath(out)
        answer = read_defaults(contract, os.path.abspath(folder), os.path.abspath(script_path))
        if answer is not None:
            write_whole(out, answer)
            return 0
        complain("no such contract: %s" % contract)
    complain(USAGE)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
