import os
import sys

outdir = sys.argv[2]
with open(os.path.join(outdir, "ARCS_28001.nxspe"), "w") as out:
    out.write("counts")
with open(os.path.join(outdir, "experiment_log.csv"), "a") as log:
    log.write("28001,1.0\n")
raise ValueError("Warning: the sample temperature was not stable")
