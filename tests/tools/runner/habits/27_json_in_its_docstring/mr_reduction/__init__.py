from . import settings

VERSION = "1"
