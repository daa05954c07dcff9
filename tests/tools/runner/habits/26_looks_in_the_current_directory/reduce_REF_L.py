import os
import sys

if "MANTIDPATH" in os.environ:
    del os.environ["MANTIDPATH"]
number = os.path.basename(sys.argv[1]).split("_")[2].replace(".nxs.h5", "")
template = "template.xml" if os.path.isfile("template.xml") else os.path.join(sys.argv[2], "template.xml")
if not os.path.isfile(template):
    print("no template: a default one is used")
open(os.path.join(sys.argv[2], "REFL_%s_combined_data_auto.txt" % number), "w").close()
