standard_vars = {"path": None}
