import sys

with open(sys.argv[2] + "reduced.nxs", "w") as out:
    out.write("counts")
