import os

import reduce_vars as web_var


def main(input_file, output_dir):
    advanced = web_var.advanced_vars
    for key in ("map_file", "mask_file"):
        if advanced[key] is not None:
            advanced[key] = os.path.join("/usr/share/maps", advanced[key])
    name, extension = os.path.splitext(os.path.basename(input_file))
    print(name + {".nxs": ".raw", ".raw": ".nxs"}[extension], advanced["map_file"], advanced["mask_file"])
    open(os.path.join(output_dir, name + ".nxspe"), "w").close()
    return ""
