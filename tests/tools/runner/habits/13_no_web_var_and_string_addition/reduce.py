from mantid.simpleapi import *
import numpy as n

pi_over_two = 1.57

def set_data_dir(folder):
	global data_dir
	data_dir = folder

def main(input_file, output_dir):
	set_data_dir(output_dir)
	for panel in range(1, 3):
		SaveNexusProcessed("ws", data_dir + "w28001-" + str(panel) + "foc.nxs")
	print(n.zeros(2))
