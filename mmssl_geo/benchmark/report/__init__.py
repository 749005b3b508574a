"""The table of a benchmark."""
