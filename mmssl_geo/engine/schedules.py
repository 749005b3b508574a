"""Schedules as pure functions of a step and the number of steps."""
import math


def warmup_cosine(step, total, peak, end, warmup=0):
    """Value of a linear warm-up from exactly 0 followed by half a cosine (official GTSA and DINO code).

    Args:
        step: 0-based optimizer step, below `total`.
        total: number of optimizer steps of the run.
        peak: value at the end of the warm-up.
        end: value that the cosine tends to.
        warmup: number of warm-up steps, below `total`; the last of them has the value `peak` (a single one has 0).
    """
    if step < warmup:
        return peak * step / max(1, warmup - 1)
    progress = (step - warmup) / (total - warmup)
    return end + 0.5 * (peak - end) * (1 + math.cos(math.pi * progress))


def shortened_warmup(warmup_epochs, max_epochs, share=0.1):
    """Warm-up epochs that leave room for the cosine: `share` of the run if the warm-up would fill it (our choice)."""
    return warmup_epochs if warmup_epochs < max_epochs else share * max_epochs
