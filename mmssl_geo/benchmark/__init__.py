"""Benchmarks of pretrained backbones on suites of downstream tasks (`tools/benchmark.py`).

`plan` reads suites and makes jobs, `checks` finds what would stop them, `run` executes them and `report` writes the
tables. `runner` puts the four together, and `quickstart` runs a small suite with it.
"""
