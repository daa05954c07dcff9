import filecmp
import os
import shutil
import sys

outdir = sys.argv[2]
archive = os.path.join(outdir, "archive")
os.makedirs(archive)
copy = os.path.join(archive, os.path.basename(__file__))
if not (os.path.isfile(copy) and filecmp.cmp(copy, __file__)):
    shutil.copy(__file__, copy)
os.chmod(copy, 0o444)
with open(os.path.join(outdir, "config.ini"), "w") as config:
    config.write("[grid]\n")
