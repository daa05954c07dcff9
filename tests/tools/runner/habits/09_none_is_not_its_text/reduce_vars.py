standard_vars = {"SampleTRANS": None}
