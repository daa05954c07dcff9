standard_vars = {"chopper": "-3,-5,-4,-5.0"}
