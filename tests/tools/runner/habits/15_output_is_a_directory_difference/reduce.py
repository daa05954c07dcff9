import os
import sys

for attempt in range(2):
    try:
        with open("reduction_utils.py", "w") as code:  # the current directory stands for a download
            code.write("def iliad(run, ei): return ['MAR%d_%gmeV.nxspe' % (run, e) for e in ei]\n")
        break
    except Exception:
        time.sleep(15)

import time

sys.path.append(os.getcwd())
from reduction_utils import iliad

runno = 29170
sum_runs = False
ei = [
    180.0,
    29.8,
]
wbvan = 28580
output_path = "/output"
before = os.listdir("/output")
for name in iliad(runno, ei):
    with open(f"{output_path}/{name}", "w") as out:
        out.write(str(wbvan))
try:
    os.mkdir("/output")
except:
    pass
output = list(set(os.listdir("/output")) - set(before))
