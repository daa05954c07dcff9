standard_vars = {"mode": "rietveld", "vanadium normalisation": True}
variable_help = {"standard_vars": {"mode": "One of\n    rietveld\n    pdf"}}
