import os

import reduce_vars as web_var


def main(input_file, output_dir):
    number = os.path.basename(input_file)[7:-4]
    open(os.path.join(output_dir, "POL%d.nxs" % int(number)), "w").close()


if __name__ == "__main__":
    main(12345, "")
