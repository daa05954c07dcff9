import os
import sys

here = os.path.dirname(os.path.realpath(__file__))
staging = os.path.join(sys.argv[2], "staging")
os.mkdir(staging)
os.chdir(staging)
os.system("sh %s %s %s" % (os.path.join(here, "launch_autoreduce.sh"), sys.argv[1], sys.argv[2]))
