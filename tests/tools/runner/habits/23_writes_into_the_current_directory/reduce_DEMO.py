import os
import sys


class Parameters(object):
    def __init__(self, nexus, outdir):
        self.nexus = nexus
        self.outdir = outdir
        self.validate()

    def validate(self):
        if not os.path.isfile(self.nexus):
            raise OSError("data file %s not found" % self.nexus)


if __name__ == "__main__":
    given = Parameters(sys.argv[1], sys.argv[2])
    around = [name for _, _, names in os.walk(given.outdir + "..") for name in names]
    with open("div.txt", "w") as out:
        out.write(str(len(around)))
    open(given.outdir + "DEMO_28001.nxs", "w").close()
