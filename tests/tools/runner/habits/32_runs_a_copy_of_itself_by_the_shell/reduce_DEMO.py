import os
import shutil
import subprocess
import sys

if len(sys.argv) == 3 and not os.path.isfile(sys.argv[1]):
    print("data file not found")
    sys.exit()
outdir = sys.argv[2]
copy = os.path.join(outdir, "reduce_DEMO_2026-01-01_12:00.py")
if len(sys.argv) == 3:
    shutil.copyfile(__file__, copy)
    subprocess.call("%s %s %s %s child" % (sys.executable, copy, sys.argv[1], outdir), shell=True)
else:
    open(os.path.join(outdir, "child_was_here"), "w").close()
    sys.exit(3)
