"""Crop loss of GTSA: the same place, in the same orientation, must give the same features."""
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
            relative_turns: `(N,)` turn of v minus turn of q.

        Returns:
            `(N,)`, each in [-1, 1].
        """
        teacher_patches = rotate_maps(teacher_patches, relative_turns)
        cosine = (F.normalize(student_patches, dim=1) * F.normalize(teacher_patches, dim=1)).sum(dim=1)
        return -cosine.mean(dim=(1, 2))
