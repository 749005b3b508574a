"""Patch-correspondence loss of GTSA: tokens that match best across two views are drawn together."""
import torch
import torch.nn.functional as F
from torch import nn

from mmssl_geo.registry import MODELS


@MODELS.register_module()
class PatchCorrespondenceLoss(nn.Module):
    """Minus the mean cosine of the K best nearest-neighbour pairs of two token sets, in both directions.

    GTSA, official code: each token's nearest neighbour by cosine in the other view; the K best-matching tokens
    kept; the directions student -> teacher and teacher -> student averaged.

    Args:
        match_share: K as a share of the student view's tokens (0.5 gives the paper's 98 of 196 and 18 of 36).

    Raises:
        ValueError: if `match_share` is not in (0, 1].
    """

    def __init__(self, match_share=0.5):
        super().__init__()
        if not 0 < match_share <= 1:
            raise ValueError(f'match_share must be in (0, 1], got {match_share}')
        self.match_share = match_share

    def forward(self, student_tokens, teacher_tokens):
        """Loss of every pair; one matrix product serves all of them.

        Args:
            student_tokens: `(Q or 1, B, V, N_s, C)` tokens of the views v that each q is paired with.
            teacher_tokens: `(Q, B, N_t, C)`.

        Returns:
            `(Q, B, V)`, each in [-1, 1].
        """
        num_views, num_student = student_tokens.shape[2:4]
        student_tokens = F.normalize(student_tokens, dim=-1).flatten(2, 3)
        teacher_tokens = F.normalize(teacher_tokens, dim=-1)
        cosine = torch.matmul(teacher_tokens, student_tokens.transpose(-1, -2))
        cosine = cosine.unflatten(-1, (num_views, num_student))  # Q, B, N_t, V, N_s
        num_matches = max(1, int(num_student * self.match_share))
        best_of_student = cosine.max(dim=2).values  # Q, B, V, N_s
        best_of_teacher = cosine.max(dim=4).values.transpose(2, 3)  # Q, B, V, N_t
        kept = [best.topk(min(num_matches, best.shape[-1])).values.mean(dim=-1)
                for best in (best_of_student, best_of_teacher)]
        return -0.5 * (kept[0] + kept[1])
