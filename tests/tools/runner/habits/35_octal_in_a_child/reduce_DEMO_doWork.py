import os
import sys

os.chmod(sys.argv[2], 0775)
