"""Loss of DINO: the student has to give the teacher's distribution over prototypes."""
import torch
from torch import nn

from mmssl_geo.registry import MODELS


@MODELS.register_module()
class DINOLoss(nn.Module):
    """Cross-entropy of sharpened, centred targets and the student's distribution (DINO, official code).

    Args:
        student_temperature: temperature of the student's softmax.
    """

    def __init__(self, student_temperature=0.1):
        super().__init__()
        self.student_temperature = student_temperature

    @staticmethod
    def targets(teacher_scores, center, temperature):
        """Probabilities of the same shape as the scores `(..., K)`; `center` is `(K,)`."""
        return ((teacher_scores - center) / temperature).softmax(dim=-1)

    def forward(self, student_scores, targets):
        """Cross-entropy of every view with every target of the same image.

        Args:
            student_scores: `(V, B, K)`.
            targets: `(G, B, K)` probabilities.

        Returns:
            `(G, V, B)` in nats.
        """
        log_probabilities = (student_scores / self.student_temperature).log_softmax(dim=-1)
        return -torch.einsum('gbk,vbk->gvb', targets, log_probabilities)
