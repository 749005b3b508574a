"""Patch-correspondence loss of GTSA: pulls the best-matching tokens of two views together."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmssl_geo.registry import MODELS
from mmssl_geo.utils.checks import check_numbers


@MODELS.register_module()
class PatchCorrespondenceLoss(nn.Module):
    """Negative mean cosine of the K best nearest-neighbour pairs of two token sets, in both directions.

    GTSA, official code: finds each token's nearest neighbour by cosine in the other view, keeps the K best-matching
    tokens, and averages the directions student -> teacher and teacher -> student.

    Args:
        match_share: K as a share of the student view's tokens (0.5 gives the paper's 98 of 196 and 18 of 36).

    Raises:
        ValueError: If `match_share` is not in (0, 1].
    """

    def __init__(self, match_share: float = 0.5) -> None:
        super().__init__()
        check_numbers('PatchCorrespondenceLoss', above=0, at_most=1, match_share=match_share)
        self.match_share = match_share

    def forward(self, student_tokens: Tensor, teacher_tokens: Tensor) -> Tensor:
        """Computes the loss of every pair with a single matrix product.

        Args:
            student_tokens: Tokens of the views v that each q is paired with, shape (Q or 1, B, V, N_s, C).
            teacher_tokens: Tokens of the views q, shape (Q, B, N_t, C).

        Returns:
            Losses in [-1, 1], shape (Q, B, V).
        """
        num_views, num_student = student_tokens.shape[2:4]
        student_tokens = F.normalize(student_tokens, dim=-1).flatten(2, 3)
        teacher_tokens = F.normalize(teacher_tokens, dim=-1)
        cosine = torch.matmul(teacher_tokens, student_tokens.transpose(-1, -2))
        cosine = cosine.unflatten(-1, (num_views, num_student))  # Q, B, N_t, V, N_s
        num_matches = max(1, int(num_student * self.match_share))
        best_of_student = cosine.max(dim=2).values  # Q, B, V, N_s
        best_of_teacher = cosine.max(dim=4).values.transpose(2, 3)  # Q, B, V, N_t
        kept = [
            best.topk(min(num_matches, best.shape[-1])).values.mean(dim=-1)
            for best in (best_of_student, best_of_teacher)
        ]
        return -0.5 * (kept[0] + kept[1])
