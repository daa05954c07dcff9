import shutil
import sys

sys.path.append("/isis/NDXOTHER/user/scripts/autoreduction")
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import reduce_vars as web_var


def main(input_file, output_dir):
    	# a tab after blanks, on a comment only
    shutil.copy(input_file, output_dir)
    plt.plot([1, 2, 3])
    plt.savefig(output_dir + "TEST_PLOT.png")
