standard_vars = {}
advanced_vars = {}
variable_help = {"standard_vars": {}, "advanced_vars": {}}
