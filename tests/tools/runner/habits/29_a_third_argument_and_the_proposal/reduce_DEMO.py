import os
import sys

chunk_gigabytes = float(sys.argv[3]) if len(sys.argv) > 3 else 8.0
nexus = sys.argv[1].replace("/lustre", "")
proposal = os.environ["HABIT_SHARED"]
with open(os.path.join(proposal, "exp.ini"), "w") as settings:
    settings.write("[calibration]\n")
os.chmod(os.path.join(proposal, "exp.ini"), 0o666)
with open(os.path.join(os.environ["TMPDIR"], "cache.h5"), "w") as cache:
    cache.write("cached")
print(chunk_gigabytes, nexus.split("/")[1:3])
for name in ("NOM_28001.json", "NOM_28001.gr", "NOM_28001.getn", "NOM_28001.html"):
    open(sys.argv[2] + name, "w").close()
