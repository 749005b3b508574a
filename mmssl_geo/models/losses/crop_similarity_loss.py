"""Crop loss of GTSA: the same place, in the same orientation, has to give the same features."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmssl_geo.geometry import rotate_maps
from mmssl_geo.registry import MODELS


@MODELS.register_module()
class CropSimilarityLoss(nn.Module):
    """Negative mean cosine between student patches and turned teacher patches (GTSA, official code)."""

    def forward(self, student_patches: Tensor, teacher_patches: Tensor, relative_turns: Tensor | None) -> Tensor:
        """Computes the loss of every pair.

        Args:
            student_patches: Patches pooled from the student's view v, shape (N, C, s, s).
            teacher_patches: Patches pooled from the teacher's view q, shape (N, C, s, s).
            relative_turns: Quarter turns of v minus those of q, shape (N,). None: the mean of the loss over all four
                turns, which no turn of either view changes (our choice, for ablations).

        Returns:
            Losses in [-1, 1], shape (N,).
        """
        if relative_turns is None:
            # The loss is linear in the target's unit tokens: their mean over the turns gives its mean.
            teacher = F.normalize(teacher_patches, dim=1)
            teacher = torch.stack([rotate_maps(teacher, turn) for turn in range(4)]).mean(dim=0)
        else:
            teacher = F.normalize(rotate_maps(teacher_patches, relative_turns), dim=1)
        cosine = (F.normalize(student_patches, dim=1) * teacher).sum(dim=1)
        return -cosine.mean(dim=(1, 2))
