"""Running the jobs of a benchmark."""
