runs = [1, 2, 3]
name = "IRIS" + ",".join(str(run) for run in runs) + "_graphite002_1.85.red"
with open("/output/" + name + ".nxs", "w") as out:
    out.write("S(Q,w)")
output = [name]
