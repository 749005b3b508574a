"""Loss of DINO: the student has to give the teacher's distribution over prototypes."""

import torch
from torch import Tensor, nn

from mmssl_geo.registry import MODELS
from mmssl_geo.utils.checks import check_numbers


@MODELS.register_module()
class DINOLoss(nn.Module):
    """Cross-entropy between sharpened, centred targets and the student's distribution (DINO, official code).

    Args:
        student_temperature: Temperature of the student's softmax.
    """

    def __init__(self, student_temperature: float = 0.1) -> None:
        super().__init__()
        check_numbers('DINOLoss', above=0, student_temperature=student_temperature)
        self.student_temperature = student_temperature

    @staticmethod
    def targets(teacher_scores: Tensor, center: Tensor, temperature: float) -> Tensor:
        """Computes target probabilities of the scores, shape (..., K), with a centre of shape (K,)."""
        return ((teacher_scores - center) / temperature).softmax(dim=-1)

    def forward(self, student_scores: Tensor, targets: Tensor) -> Tensor:
        """Computes the cross-entropy of every view with every target of the same image.

        Args:
            student_scores: Scores of all views, shape (V, B, K).
            targets: Target probabilities of the global views, shape (G, B, K).

        Returns:
            Losses in nats, shape (G, V, B).
        """
        log_probabilities = (student_scores / self.student_temperature).log_softmax(dim=-1)
        return -torch.einsum('gbk,vbk->gvb', targets, log_probabilities)
