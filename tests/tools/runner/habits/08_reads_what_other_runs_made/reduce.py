import os
import re

import reduce_vars as web_var


def newest(folder):
    versions = [name for name in os.listdir(folder) if name.startswith("run-version-")]
    return os.path.join(folder, max(versions, key=lambda name: int(name.rsplit("-", 1)[1])))


def main(input_file, output_dir):
    cycle = re.search(r"cycle_(\d\d_\d)", input_file).group(1)
    with open(input_file, "rb") as raw:
        title = raw.read().decode("latin-1")
    if "trans" in title.lower():
        print("a transmission run: nothing to do")
        return
    transmission = newest(os.path.join(os.environ["HABIT_SHARED"], "RB1234", "autoreduced", "100"))
    with open(os.path.join(transmission, "TRANS100.nxs")) as earlier:
        text = earlier.read()
    with open(output_dir + "plot-" + cycle + ".json", "w") as out:
        out.write(text)
    return output_dir
