"""Measures of geometric sensitivity of frozen features."""
