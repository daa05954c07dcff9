"""Filled by a form; $ is a plain dollar."""
import sys

mask_file = "default.xml"
grid = [0.0, 0.1]  # bin edges
clean = True
