import os
import shutil
import sys

sys.path.append("/isis/NDXELSEWHERE/user/scripts/autoreduction")
import reduce_vars as web_var

print(web_var)


def validate(input_file, output_dir):
    assert os.path.exists(output_dir)


def main(input_file, output_dir):
    validate(input_file, output_dir)
    shutil.copy(input_file, output_dir)


if __name__ == "__main__":
    main("test", "test")
