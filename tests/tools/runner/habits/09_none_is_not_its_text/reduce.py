import reduce_vars as web_var


def main(input_file, output_dir):
    params = web_var.standard_vars
    if params["SampleTRANS"] != "None":
        print("transmission", int(params["SampleTRANS"]))
    open(output_dir + "reduced.h5", "w").close()
