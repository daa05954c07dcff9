def read_settings(given):
    return dict({"peak_max": 140}, **given)
