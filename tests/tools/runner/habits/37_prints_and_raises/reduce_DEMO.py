import sys

CONDA_ENV = "sans-dev"
print("reducing", sys.argv[1])
print("half way", end="\r")
raise RuntimeError("This is an ERROR!")
