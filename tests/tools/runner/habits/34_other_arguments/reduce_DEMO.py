import getopt
import sys


def main(arguments):
    options, rest = getopt.getopt(arguments, "i:o:", ["ifile=", "ofile="])
    given = dict(options)
    if "-i" not in given or "-o" not in given:
        print("reduce_DEMO.py -i <inputfile> -o <outputdir>")
        return
    raise AssertionError("never called like that here")


main(sys.argv[1:])
