"""Runs one reduction script for workerd, in the interpreter of its instrument, and says how it ended.

    PYTHON run_script.py JOB.json                                              one attempt at a job
    PYTHON run_script.py --defaults REDUCE_VARS.py --script FOLDER OUT.json    the script's own variables

docs/contracts/runner.md describes JOB.json, the result and every outcome. Any Python from 3.6 on, standard library
only: the interpreter belongs to the instrument, not to us.

The text that runs is the captured copy, byte for byte what the ledger recorded; yet the script sees itself where the
scientist keeps it: __file__, tracebacks and imports of neighbouring modules name the original folder.

The work is done by the modules of runledger_runner beside this file: Python keeps compiled modules, and compiles a file
that is run anew each time.
"""

import os
import sys

from runledger_runner.printing import complain, open_printing, write_whole


def main(arguments):
    open_printing()
    if len(arguments) == 1 and not arguments[0].startswith("-"):
        from runledger_runner.attempt import run_attempt

        return run_attempt(arguments[0])
    if len(arguments) == 5 and arguments[0] == "--defaults" and arguments[2] == "--script":
        from runledger_runner.defaults import read_defaults

        write_whole(os.path.abspath(arguments[4]), read_defaults(os.path.abspath(arguments[1]), arguments[3]))
        return 0
    complain("usage: run_script.py JOB.json\n       run_script.py --defaults REDUCE_VARS.py --script FOLDER OUT.json")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
