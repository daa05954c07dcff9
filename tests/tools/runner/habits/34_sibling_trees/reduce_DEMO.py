import os
import sys

shared = os.environ["HABIT_SHARED"]
for tree in ("logs", "binned_data"):
    folder = os.path.join(shared, tree)
    if not os.path.exists(folder):
        os.mkdir(folder, 0o777)
with open(os.path.join(shared, "logs", "28001.txt"), "w") as log:
    log.write("temperature")
with open(os.path.join(shared, "AutoRecord.txt"), "a") as record:
    record.write("28001\n")
os.rename(os.path.join(shared, "logs", "28001.txt"), os.path.join(shared, "binned_data", "28001.txt"))
os.remove(os.path.join(shared, "stale.txt"))
print("VULCAN reduction succeeded")
