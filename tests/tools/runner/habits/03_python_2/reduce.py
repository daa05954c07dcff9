import sys
from reduce_vars import *


def main(*args, **kwargs):
    print kwargs
    shutil.copy(kwargs["data"], kwargs["output"])


if __name__ == "__main__":
    main(*sys.argv[1:])
