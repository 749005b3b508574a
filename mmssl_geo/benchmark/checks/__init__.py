"""Checks of data, configs and checkpoints before a benchmark starts."""
