import os

import reduce_vars as web_var


def main(input_file, output_dir):
    user_params = web_var.standard_vars
    user_params["mode"] = user_params["mode"].capitalize()
    run = os.path.split(input_file)[-1][3:-4]
    with open(output_dir + "GEM" + run + "-" + user_params["mode"] + ".gss", "w") as out:
        out.write(run)
    print(getattr(web_var, "advanced_vars"))
