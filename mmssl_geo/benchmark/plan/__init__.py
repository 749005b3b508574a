"""Suites, jobs and their configs: what a benchmark runs."""
