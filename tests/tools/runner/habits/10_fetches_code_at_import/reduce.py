import os
import sys

repository = os.path.join(os.environ["HABIT_SHARED"], "repo")
if not os.path.isdir(repository):
    os.mkdir(repository)
with open(os.path.join(repository, "iliad_fetched.py"), "w") as code:
    code.write("def iliad(run): return 'MAR%d.nxspe' % run\n")
sys.path.insert(0, repository)
from iliad_fetched import iliad


def main(input_file, output_dir):
    name = iliad(28001)
    with open(os.path.join(output_dir, name), "w") as out:
        out.write("counts")
    return [entry for entry in os.listdir(output_dir)]
