"""Suites, and the jobs of a benchmark."""
