standard_vars = {"ei": [3.7, 5.0]}
advanced_vars = {}
