print("This script stands in for an instrument that has none")
