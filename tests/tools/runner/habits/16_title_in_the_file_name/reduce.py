title = "Polyethylene 5K"
instrument = "TSC"
run_number = 25234
name = f"{instrument}{run_number}-{title}-autoreduced.nxs"
with open("/output/" + name, "w") as out:
    out.write(title)
output = name
