from mantid.simpleapi import Load, SaveNexusProcessed


def reduce(input, output):
    workspace = Load(input)
    SaveNexusProcessed(workspace, output + "/load-successful.nxs")


if __name__ == "__main__":
    import sys

    reduce(sys.argv[1], sys.argv[2])
