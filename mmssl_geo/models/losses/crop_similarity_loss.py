"""Crop loss of GTSA: the same place, in the same orientation, must give the same features."""
import torch
import torch.nn.functional as F
from torch import nn

from mmssl_geo.geometry import rotate_maps
from mmssl_geo.registry import MODELS


@MODELS.register_module()
class CropSimilarityLoss(nn.Module):
    """Minus the mean cosine between student patches and turned teacher patches (GTSA, official code)."""

    def forward(self, student_patches, teacher_patches, relative_turns):
        """Loss of every pair.

        Args:
            student_patches: `(N, C, s, s)` pooled from the student's view v.
            teacher_patches: `(N, C, s, s)` pooled from the teacher's view q.
            relative_turns: `(N,)` turn of v minus turn of q. None: the mean of the loss over all four turns, which
                no turn of either view changes (our choice, for ablations).

        Returns:
            `(N,)`, each in [-1, 1].
        """
        if relative_turns is None:
            # the loss is linear in the unit tokens of the target: their mean over the turns gives its mean
            teacher = F.normalize(teacher_patches, dim=1)
            teacher = torch.stack([rotate_maps(teacher, turn) for turn in range(4)]).mean(dim=0)
        else:
            teacher = F.normalize(rotate_maps(teacher_patches, relative_turns), dim=1)
        cosine = (F.normalize(student_patches, dim=1) * teacher).sum(dim=1)
        return -cosine.mean(dim=(1, 2))
