def SaveNexusProcessed(workspace, Filename):
    open(Filename, "w").close()
