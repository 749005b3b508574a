"""File formats of other ecosystems."""
