"""Measures of region features."""
