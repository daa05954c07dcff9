import os
import subprocess
import sys

subprocess.call([sys.executable, os.path.join(os.path.dirname(__file__), "reduce_DEMO_doWork.py")] + sys.argv[1:])
