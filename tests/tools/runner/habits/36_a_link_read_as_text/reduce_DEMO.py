../autoreduce/reduce_DEMO.py
