import json
import os

from mr_reduction import VERSION


def reduce(nexus, outdir, settings):
    with open(os.path.join(outdir, "reflectivity.json"), "w") as out:
        json.dump(dict(settings, version=VERSION), out)
