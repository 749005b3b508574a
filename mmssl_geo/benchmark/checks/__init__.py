"""Checks before a benchmark starts."""
