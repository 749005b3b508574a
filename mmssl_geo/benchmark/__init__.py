"""Suites of downstream tasks, and the runner that fills their table (`tools/benchmark.py`)."""
