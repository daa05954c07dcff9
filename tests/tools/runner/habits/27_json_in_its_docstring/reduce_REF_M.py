"""
START_JSON
{"peak_min": 120, "use_slit": false}
END_JSON
"""
import json
import logging
import sys

from mr_reduction.settings import read_settings
from mr_reduction import reflectivity


class Quiet(logging.Filter):
    def filter(self, record):
        return record.levelno >= logging.ERROR


logging.getLogger().addFilter(Quiet())
logging.warning("nobody reads this")
settings = json.loads(__doc__.split("START_JSON")[1].split("END_JSON")[0])
reflectivity.reduce(sys.argv[1], sys.argv[2], read_settings(settings))
