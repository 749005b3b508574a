"""Tools that make data offline: region proposals, scenes, a subset of Open Images."""
