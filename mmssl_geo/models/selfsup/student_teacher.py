"""Base of the self-distillation methods: a student, its EMA teacher, and losses of a batch of views."""

from typing import Any, cast

import torch
from mmpretrain.models import BaseSelfSupervisor
from torch import Tensor

from mmssl_geo.registry import MODELS
from mmssl_geo.structures import RegionBatch, ViewBatch
from mmssl_geo.utils.errors import NonFiniteLossError, UserError

from .teacher import Teacher


class StudentTeacher(BaseSelfSupervisor):
    """A student (`backbone`, `neck`) and the EMA teacher of both.

    The teacher (`teacher.backbone`, `teacher.neck`) starts as a copy of the student, has no drop path, and is updated
    by `TeacherUpdateHook` once per optimizer step.

    A method is a subclass that implements `loss(views)`, which returns losses and values to monitor by name: those
    whose name contains 'loss' are summed and minimised, all are logged. It overrides `complete_head` if its head has
    widths that follow from backbone or neck. Hooks call `set_epoch` and `set_teacher_temperature` where a method has
    them.

    Args:
        backbone: Config of a backbone that meets the contract `Backbone`; its `drop_path_rate` is the student's.
        neck: Config of the projector, a module with `out_channels`; `in_channels` follows the backbone unless given.
        head: Config of the head; None for methods without one.
        data_preprocessor: Config of the data preprocessor; None: `MultiViewDataPreprocessor`.
        init_cfg: As in mmengine.
        batch_statistics: Whether the teacher normalises by the batch, see `Teacher`.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        neck: dict[str, Any],
        head: dict[str, Any] | None = None,
        data_preprocessor: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
        batch_statistics: bool = False,
    ) -> None:
        without_drop_path = {'drop_path_rate': 0.0} if 'drop_path_rate' in backbone else {}
        teacher_backbone = MODELS.build({**backbone, **without_drop_path})
        neck = {'in_channels': teacher_backbone.feature_channels, **neck}
        teacher_neck = MODELS.build(neck)
        super().__init__(
            backbone=backbone,
            neck=neck,
            head=head and self.complete_head(head, teacher_backbone.feature_channels, teacher_neck.out_channels),
            data_preprocessor=data_preprocessor or dict(type='mmssl_geo.MultiViewDataPreprocessor'),
            init_cfg=init_cfg,
        )
        self.feature_stride = teacher_backbone.feature_stride
        self.teacher = Teacher(teacher_backbone, teacher_neck, batch_statistics)
        self.teacher.copy_from(self.backbone, self.neck)

    @staticmethod
    def complete_head(head: dict[str, Any], backbone_channels: int, neck_channels: int) -> dict[str, Any]:
        """Returns the head's config with the widths that follow from backbone and neck; by default as it is."""
        return head

    def init_weights(self) -> None:
        """Initialises the student and copies it to the teacher."""
        super().init_weights()
        self.teacher.copy_from(self.backbone, self.neck)

    @torch.no_grad()
    def teacher_tokens(self, images: Tensor) -> Tensor:
        """Extracts the teacher backbone's patch tokens, shape (N, L, C), of images of shape (N, 3, H, W)."""
        output = self.teacher.backbone(images)[-1]
        if output.ndim == 3:
            return output[:, self.teacher.backbone.num_extra_tokens :]
        return output.flatten(2).transpose(1, 2)

    def update_teacher(self, momentum: float) -> None:
        """Updates the teacher: `momentum * teacher + (1 - momentum) * student`."""
        self.teacher.update(self.backbone, self.neck, momentum)

    def forward(self, views: ViewBatch | RegionBatch | Tensor, mode: str = 'tensor') -> dict[str, Tensor] | Tensor:
        """Computes the losses of a batch of views or the backbone's output.

        Args:
            views: For `mode='loss'`, the `views` of the data preprocessor; for `mode='tensor'`, images (N, 3, H, W).
            mode: 'loss' or 'tensor'.
        """
        if mode == 'loss':
            return self.loss(views)
        if mode == 'tensor':
            return self.extract_feat(cast(Tensor, views))
        raise ValueError(f'mode must be "loss" or "tensor", got {mode!r}')

    def extract_feat(self, images: Tensor) -> Tensor:
        """Extracts the student backbone's last output of images of shape (N, 3, H, W)."""
        return self.backbone(images)[-1]

    def student_features(self, views: ViewBatch) -> dict[str, Tensor]:
        """Extracts the student backbone's outputs by kind of view, view-major.

        Raises:
            UserError: If the size of the views is not a multiple of the backbone's stride.
        """
        for kind, images in views.images().items():
            if images.shape[-1] % self.feature_stride:
                raise UserError(
                    f'{kind} views of {images.shape[-1]} px cannot be cut into patches of {self.feature_stride} px: '
                    f'set train_dataloader.dataset.pipeline.crop.{kind}_size to a multiple of it'
                )
        return {kind: self.extract_feat(images) for kind, images in views.images().items()}

    def parse_losses(self, losses: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Sums the losses as mmengine does, but stops the run before a non-finite loss reaches the weights.

        On a GPU the host does not wait for the losses here: `FiniteHook` stops the run one iteration later.

        Raises:
            NonFiniteLossError: Names the losses that are not finite.
        """
        total, log = super().parse_losses(losses)
        if total.is_cpu:
            non_finite = [name for name, value in losses.items() if 'loss' in name and not value.isfinite()]
            if non_finite:
                raise NonFiniteLossError(non_finite)
        return total, log
