standard_vars = {"a": 1}
