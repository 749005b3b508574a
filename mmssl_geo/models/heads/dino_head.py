"""Head of DINO: pairs the views' scores and keeps the teacher's centre."""

from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.model import BaseModule
from torch import Tensor

from mmssl_geo.registry import MODELS
from mmssl_geo.utils.checks import check_counts, check_fractions, check_numbers
from mmssl_geo.utils.tensors import at_least_float32


@MODELS.register_module()
class DINOHead(BaseModule):
    """Cross-entropy over all pairs (global view q of the teacher, other view v of the student), and the centre (DINO).

    Args:
        num_prototypes: Number K of scores per image.
        loss: Config of `DINOLoss`.
        center_momentum: Momentum of the centre's moving average.
        teacher_temperature: Temperature of the targets until `TeacherTemperatureHook` sets another.
        init_cfg: As in mmengine.
    """

    def __init__(
        self,
        num_prototypes: int,
        loss: dict[str, Any],
        center_momentum: float = 0.9,
        teacher_temperature: float = 0.04,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        check_counts('DINOHead', num_prototypes=num_prototypes)
        check_fractions('DINOHead', center_momentum=center_momentum)
        check_numbers('DINOHead', above=0, teacher_temperature=teacher_temperature)
        super().__init__(init_cfg)
        self.loss_module = MODELS.build(loss)
        self.center_momentum = center_momentum
        self.teacher_temperature = teacher_temperature
        self.register_buffer('center', torch.zeros(num_prototypes))

    def loss(self, student_scores: Tensor, teacher_scores: Tensor) -> dict[str, Tensor]:
        """Computes the loss of a batch, then updates the centre with it.

        Args:
            student_scores: Scores of all views, the global ones first, shape (V, B, K).
            teacher_scores: Scores of the global views, shape (G, B, K).

        Returns:
            `loss_dino` and two values to monitor, in nats: `teacher_entropy`, log K if all targets are uniform and 0 if
            each is a single prototype, and `teacher_kl`, the mean divergence of the student from the targets. A
            divergence near 0 with an entropy near log K or 0 indicates collapse (paper, section 5.3).
        """
        with torch.autocast(student_scores.device.type, enabled=False):
            student, teacher = at_least_float32(student_scores), at_least_float32(teacher_scores.detach())
            targets = self.loss_module.targets(teacher, self.center, self.teacher_temperature)
            pair_losses = self.loss_module(student, targets).mean(dim=-1)
            same_view = torch.eye(*pair_losses.shape, device=pair_losses.device)
            loss = (pair_losses * (1 - same_view)).sum() / (pair_losses.numel() - len(pair_losses))
            entropy = -torch.xlogy(targets, targets).sum(dim=-1).mean()
            self.update_center(teacher)
        return dict(loss_dino=loss, teacher_entropy=entropy, teacher_kl=loss.detach() - entropy)

    @torch.no_grad()
    def update_center(self, teacher_scores: Tensor) -> None:
        """Moves the centre towards the mean of the teacher's scores, shape (..., K), over all processes."""
        batch_center = teacher_scores.flatten(0, -2).mean(dim=0).to(self.center)
        all_reduce(batch_center, op='mean')
        self.center.mul_(self.center_momentum).add_(batch_center, alpha=1 - self.center_momentum)
