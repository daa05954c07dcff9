import os
import sys

instrument, nexus, summary = sys.argv[1:4]


def field(name):
    try:
        return open(nexus, "rb")[name].value[0]
    except:
        return "N/A"


row = 1
if os.path.exists(summary):
    with open(summary) as lines:
        row = int(lines.read().splitlines()[-1].split(",")[1]) + 1
with open(summary, "a") as lines:
    lines.write("%s,%s,%s\n" % (instrument, row if row == 1 else field("row"), field("title")))
os.chmod(summary, 0o664)
