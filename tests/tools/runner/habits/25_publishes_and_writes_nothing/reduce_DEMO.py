import sys
from shadows import *

data = open(sys.argv[1], "rb").read()
print("posted a plot of", sum(data), "counts")
