from collections import OrderedDict

standard_vars = OrderedDict()
standard_vars["vanadium_run"] = "None"
standard_vars["Number of Runs to Merge"] = 1
advanced_vars = {"event_mode": False}
