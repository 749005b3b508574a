"""Tables and statistics of a benchmark."""
