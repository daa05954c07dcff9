standard_vars = {"plot": True}
