"""What run_script.py does; compiled once for each interpreter, so that a job need not."""
