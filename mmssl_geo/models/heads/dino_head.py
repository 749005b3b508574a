"""Head of DINO: pairs the views' scores and keeps the teacher's centre."""
import torch
from mmengine.dist import all_reduce
from mmengine.model import BaseModule

from mmssl_geo.registry import MODELS


@MODELS.register_module()
class DINOHead(BaseModule):
    """Cross-entropy over all pairs (global view q of the teacher, other view v of the student), and the centre (DINO).

    Args:
        num_prototypes: K, number of scores of an image.
        loss: config of `DINOLoss`.
        center_momentum: momentum of the centre's moving average.
        teacher_temperature: temperature of the targets until `TeacherTemperatureHook` sets another.
    """

    def __init__(self, num_prototypes, loss, center_momentum=0.9, teacher_temperature=0.04, init_cfg=None):
        super().__init__(init_cfg)
        self.loss_module = MODELS.build(loss)
        self.center_momentum = center_momentum
        self.teacher_temperature = teacher_temperature
        self.register_buffer('center', torch.zeros(num_prototypes))

    def loss(self, student_scores, teacher_scores):
        """Loss of a batch; afterwards the centre takes the batch in.

        Args:
            student_scores: `(V, B, K)` of all views, the global ones first.
            teacher_scores: `(G, B, K)` of the global views.

        Returns:
            dict: `loss_dino`; to be watched, in nats: `teacher_entropy`, log K if all targets are uniform and 0 if
            each is a single prototype, and `teacher_kl`, mean divergence of the student from the targets. One that
            goes to 0 with the other at log K or 0 tells of collapse (paper, section 5.3).
        """
        with torch.autocast(student_scores.device.type, enabled=False):
            student, teacher = (
                scores.to(torch.promote_types(scores.dtype, torch.float32))
                for scores in (student_scores, teacher_scores.detach()))
            targets = self.loss_module.targets(teacher, self.center, self.teacher_temperature)
            of_pairs = self.loss_module(student, targets).mean(dim=-1)
            same_view = torch.eye(*of_pairs.shape, device=of_pairs.device)
            loss = (of_pairs * (1 - same_view)).sum() / (of_pairs.numel() - len(of_pairs))
            entropy = -torch.xlogy(targets, targets).sum(dim=-1).mean()
            self.update_center(teacher)
        return dict(loss_dino=loss, teacher_entropy=entropy, teacher_kl=loss.detach() - entropy)

    @torch.no_grad()
    def update_center(self, teacher_scores):
        """One step of the centre towards the mean of the teacher's scores `(..., K)` over all processes."""
        batch_center = teacher_scores.flatten(0, -2).mean(dim=0).to(self.center)
        all_reduce(batch_center, op='mean')
        self.center.mul_(self.center_momentum).add_(batch_center, alpha=1 - self.center_momentum)
