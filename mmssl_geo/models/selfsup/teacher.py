"""The EMA teacher of a student's backbone and neck."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class Teacher(nn.Module):
    """A backbone and a neck that follow the student's by exponential moving average, without gradients.

    Args:
        backbone: Module of the student's architecture, without drop path.
        neck: Module of the student's architecture.
        batch_statistics: Whether each BatchNorm normalises by the batch while training, as BYOL's teacher does. It
            then keeps its own running statistics, which fit the teacher's weights; otherwise the student's are copied.
    """

    backbone: Any  # a module that meets the contract `Backbone`

    def __init__(self, backbone: nn.Module, neck: nn.Module, batch_statistics: bool = False) -> None:
        super().__init__()
        self.batch_statistics = batch_statistics
        self.backbone = backbone
        self.neck = neck
        self.requires_grad_(False)
        self.train()

    def train(self, mode: bool = True) -> 'Teacher':
        """Stays in evaluation mode, so that no dropout makes its targets random, except for batch statistics."""
        super().train(False)
        if self.batch_statistics:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.train(mode)
        return self

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Applies backbone and neck to images of shape (N, 3, H, W); returns e.g. projections (N, D, h, w)."""
        return self.neck(self.backbone(images)[-1])

    def copy_from(self, backbone: nn.Module, neck: nn.Module) -> None:
        """Copies the student's weights."""
        self.backbone.load_state_dict(backbone.state_dict())
        self.neck.load_state_dict(neck.state_dict())

    @torch.no_grad()
    def update(self, backbone: nn.Module, neck: nn.Module, momentum: float) -> None:
        """Makes one EMA step: `momentum * teacher + (1 - momentum) * student`.

        Copies the student's buffers unless the teacher keeps its own statistics.
        """
        for teacher, student in ((self.backbone, backbone), (self.neck, neck)):
            parameters: list[Tensor] = list(teacher.parameters())
            student_parameters: list[Tensor] = list(student.parameters())
            torch._foreach_mul_(parameters, momentum)
            torch._foreach_add_(parameters, student_parameters, alpha=1.0 - momentum)
            if not self.batch_statistics:
                for buffer, student_buffer in zip(teacher.buffers(), student.buffers(), strict=True):
                    buffer.copy_(student_buffer)
