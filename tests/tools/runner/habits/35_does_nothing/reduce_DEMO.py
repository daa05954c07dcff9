import os
import sys

if len(sys.argv) != 3:
    logger.error("autoreduction code requires a filename and an output directory")
    sys.exit()
with open(os.path.join(os.path.dirname(__file__), "autoreduce.config")) as config:
    print(config.read().strip())
# os.system("python doWork.py")
