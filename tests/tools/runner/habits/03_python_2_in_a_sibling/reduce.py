import helpers


def main(input_file, output_dir):
    helpers.say(input_file)
