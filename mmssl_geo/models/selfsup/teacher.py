"""The EMA teacher of a student's backbone and neck."""
import torch
from torch import nn


class Teacher(nn.Module):
    """A backbone and a neck that follow the student's by exponential moving average; no gradient reaches them.

    Args:
        backbone, neck: modules of the student's architecture (without drop path).
    """

    def __init__(self, backbone, neck):
        super().__init__()
        self.backbone = backbone
        self.neck = neck
        self.requires_grad_(False)
        self.train()

    def train(self, mode=True):
        """Stays in evaluation mode: its targets are never random, whatever dropout the backbone has."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, images):
        """Projections `(N, D, h, w)` of images `(N, 3, H, W)`."""
        return self.neck(self.backbone(images)[-1])

    def copy_from(self, backbone, neck):
        """Takes over the student's weights."""
        self.backbone.load_state_dict(backbone.state_dict())
        self.neck.load_state_dict(neck.state_dict())

    @torch.no_grad()
    def update(self, backbone, neck, momentum):
        """One EMA step: `momentum * teacher + (1 - momentum) * student`, buffers copied."""
        for own, other in ((self.backbone, backbone), (self.neck, neck)):
            mine = list(own.parameters())
            torch._foreach_mul_(mine, momentum)
            torch._foreach_add_(mine, list(other.parameters()), alpha=1. - momentum)
            for my_buffer, buffer in zip(own.buffers(), other.buffers(), strict=True):
                my_buffer.copy_(buffer)
