import os

import mantid.simpleapi as simple

print(help(os.path.join))
import reduce_vars as web_var


def main(input_file, output_dir):
    os.system("rm -f ~/temp.xml")
    with open(os.path.expanduser("~/temp.xml"), "w") as mask:
        mask.write("<mask/>")
    debug = open("debug.txt", "w")
    debug.write("never closed")
    run = int(input_file[-12:-4])
    title = simple.Load(input_file).title
    if not title.endswith("_SANS"):
        print("not a scattering run", run)
        return
    raise AssertionError("the title is not like that")
