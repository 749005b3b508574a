"""The EMA teacher of a student's backbone and neck."""
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


class Teacher(nn.Module):
    """A backbone and a neck that follow the student's by exponential moving average; no gradient reaches them.

    Args:
        backbone, neck: modules of the student's architecture (without drop path).
        batch_statistics: whether each BatchNorm normalises by the batch while training, as BYOL's teacher does. It
            then keeps running statistics of its own, which fit the teacher's weights; else the student's are copied.
    """

    def __init__(self, backbone, neck, batch_statistics=False):
        super().__init__()
        self.batch_statistics = batch_statistics
        self.backbone = backbone
        self.neck = neck
        self.requires_grad_(False)
        self.train()

    def train(self, mode=True):
        """Stays in evaluation mode but for batch statistics: no dropout of the backbone makes its targets random."""
        super().train(False)
        if self.batch_statistics:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.train(mode)
        return self

    @torch.no_grad()
    def forward(self, images):
        """What the neck makes of images `(N, 3, H, W)`, such as projections `(N, D, h, w)`."""
        return self.neck(self.backbone(images)[-1])

    def copy_from(self, backbone, neck):
        """Takes over the student's weights."""
        self.backbone.load_state_dict(backbone.state_dict())
        self.neck.load_state_dict(neck.state_dict())

    @torch.no_grad()
    def update(self, backbone, neck, momentum):
        """One EMA step: `momentum * teacher + (1 - momentum) * student`; buffers are copied unless they are its own."""
        for own, other in ((self.backbone, backbone), (self.neck, neck)):
            mine = list(own.parameters())
            torch._foreach_mul_(mine, momentum)
            torch._foreach_add_(mine, list(other.parameters()), alpha=1. - momentum)
            if not self.batch_statistics:
                for my_buffer, buffer in zip(own.buffers(), other.buffers(), strict=True):
                    my_buffer.copy_(buffer)
