import csv
import os

from mantid.simpleapi import SaveNexusProcessed

input_runs = [110754]
user_file = "/extras/loq/USER_LOQ.toml"
folder = f"/output/run-{input_runs[0]}"
os.makedirs(folder, exist_ok=True)
with open(f"{folder}/batch.csv", "w", newline="") as batch:
    csv.writer(batch).writerow(["sample_sans", input_runs[0], "user_file", user_file])
output = []
for workspace in ("main_1D", "hab_1D", "merged_1D"):
    if workspace != "merged_1D":
        with open(f"{folder}/{input_runs[0]}_{workspace}.h5", "w") as out:
            out.write(workspace)
    output.append(f"run-{input_runs[0]}/{input_runs[0]}_{workspace}")
SaveNexusProcessed("reduced", Filename=f"{input_runs[0]}_reduced.nxs")
output.append(f"{input_runs[0]}_reduced.nxs")
