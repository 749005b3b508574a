"""Helpers that all packages share. Importing them needs no OpenMMLab package."""
