"""Execution of pretrainings and jobs."""
