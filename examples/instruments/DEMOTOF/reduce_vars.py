"""Variables of DEMOTOF's reduction. The values here are the defaults; RunLedger records the ones each run was given."""

standard_vars = {
    "tof_min": None,
    "tof_max": None,
    "tof_step": -0.004,
    "period": 1,
}

advanced_vars = {
    "first_spectrum": None,
    "last_spectrum": None,
    "normalise_by_charge": True,
    "plot": True,
}

variable_help = {
    "standard_vars": {
        "tof_min": "Begin of the time-of-flight range in microseconds. None: where the data begin.",
        "tof_max": "End of the time-of-flight range in microseconds. None: where the data end.",
        "tof_step": "Width of a bin: in microseconds, or, if negative, relative to the time of flight (-0.004 is 0.4 %).",
        "period": "Which period of the run to reduce, counted from 1.",
    },
    "advanced_vars": {
        "first_spectrum": "Number of the first spectrum that is summed. None: all from the first.",
        "last_spectrum": "Number of the last spectrum that is summed. None: all up to the last.",
        "normalise_by_charge": "Divide by the proton charge of the run (uAh).",
        "plot": "Draw the reduced spectrum as PNG.",
    },
}
