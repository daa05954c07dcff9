import os


def transmission_of(run, mode):
    files = []
    for extension in ("dat", "txt"):
        folder = os.path.join("/output", "transmission", mode, extension)
        os.makedirs(folder, exist_ok=True)
        files.append(os.path.join(folder, "%s.%s" % (run, extension)))
        with open(files[-1], "w") as out:
            out.write(run)
    return files
