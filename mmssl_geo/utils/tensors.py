"""Small functions on tensors that several packages share."""

import torch
from torch import Tensor


def at_least_float32(values: Tensor) -> Tensor:
    """Converts half-precision values to float32 and leaves other floating point types as they are."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
