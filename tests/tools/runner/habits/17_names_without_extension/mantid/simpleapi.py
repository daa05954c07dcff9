def SaveNexusProcessed(workspace, Filename):
    with open(Filename, "w") as out:
        out.write(workspace)
