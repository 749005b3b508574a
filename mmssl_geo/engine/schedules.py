"""Schedules as pure functions of the step and the number of steps."""

import math


def warmup_cosine(step: int, total: int, peak: float, end: float, warmup: int = 0) -> float:
    """Computes a linear warm-up from exactly 0 followed by half a cosine (official GTSA and DINO code).

    Args:
        step: 0-based optimizer step, below `total`.
        total: Number of optimizer steps of the run.
        peak: Value at the end of the warm-up.
        end: Value that the cosine approaches.
        warmup: Number of warm-up steps, below `total`. The last of them has the value `peak`; a single one has 0.
    """
    if step < warmup:
        return peak * step / max(1, warmup - 1)
    progress = (step - warmup) / (total - warmup)
    return end + 0.5 * (peak - end) * (1 + math.cos(math.pi * progress))


def shortened_warmup(warmup_epochs: float, max_epochs: int, fraction: float = 0.1) -> float:
    """Returns the warm-up epochs, or a fraction of the run if they are not fewer than its epochs (our choice)."""
    return warmup_epochs if warmup_epochs < max_epochs else fraction * max_epochs
