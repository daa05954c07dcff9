def Load(path):
    return path


def SaveNexusProcessed(workspace, path):
    with open(path, "w") as out:
        out.write(workspace)
