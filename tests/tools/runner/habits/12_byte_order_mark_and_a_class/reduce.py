from LETReduction import ReduceLET
import reduce_vars as web_var


def main(input_file, output_dir):
    reducer = ReduceLET(web_var)
    reducer.run(input_file, output_dir)
    return ""
