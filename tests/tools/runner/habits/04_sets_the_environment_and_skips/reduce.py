import os
import time

os.environ["MPLBACKEND"] = "Agg"
import reduce_vars as web_var


def none_of(value):
    return None if value == "None" else value


def main(input_file, output_dir):
    time.sleep(0)
    web_var.standard_vars["vanadium_run"] = none_of(web_var.standard_vars["vanadium_run"])
    if web_var.advanced_vars["event_mode"]:
        raise RuntimeError("Skip: Event mode files are not reduced here")
    with open(os.path.join(output_dir, "focused_%s.nxs" % web_var.standard_vars["vanadium_run"]), "w"):
        pass
