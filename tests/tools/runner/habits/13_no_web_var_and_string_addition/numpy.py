def zeros(count):
    return [0.0] * count
