import shutil

def main(input_file, output_dir):
	# the example never went away
	if True:
		shutil.copy(input_file, output_dir)
	open(output_dir + "plot.png", "w").close()
