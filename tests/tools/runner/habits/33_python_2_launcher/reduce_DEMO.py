import os, sys
if len(sys.argv) != 3:
    print "autoreduction code requires a filename and an output directory"
    sys.exit()
