"""Helpers that all packages share. Importing them needs no OpenMMLab package."""

from .setup_env import register_all_modules

__all__ = ['register_all_modules']
