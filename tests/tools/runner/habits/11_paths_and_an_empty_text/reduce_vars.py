standard_vars = {"wb_run": None}
advanced_vars = {"map_file": None, "mask_file": None}
