"""DINO: self-distillation with no labels (arXiv 2104.14294)."""

from typing import Any

import torch
from torch import Tensor

from mmssl_geo.registry import MODELS
from mmssl_geo.structures import ViewBatch
from mmssl_geo.utils.errors import UserError

from .student_teacher import StudentTeacher


@MODELS.register_module()
class DINO(StudentTeacher):
    """The student's [CLS] of every view predicts the prototypes of the teacher's [CLS] of a global view.

    Args:
        backbone: Config of a vision transformer that outputs its tokens after the final LayerNorm, `out_type='raw'`;
            its `drop_path_rate` is the student's, the teacher has none.
        neck: Config of `DINONeck`; `in_channels` follows the backbone unless given.
        head: Config of `DINOHead`; `num_prototypes` follows the neck unless given.
        data_preprocessor: Config of `MultiViewDataPreprocessor`.
        init_cfg: As in mmengine.

    Raises:
        UserError: If the backbone does not output tokens.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        neck: dict[str, Any],
        head: dict[str, Any],
        data_preprocessor: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        if backbone.get('out_type') != 'raw':
            raise UserError(
                "model.backbone.out_type must be 'raw' (a vision transformer's tokens, of which DINO takes "
                f'[CLS]), got {backbone.get("out_type")!r}'
            )
        super().__init__(backbone, neck, head, data_preprocessor, init_cfg)

    @staticmethod
    def complete_head(head: dict[str, Any], backbone_channels: int, neck_channels: int) -> dict[str, Any]:
        """Fills in the number of prototypes."""
        return {'num_prototypes': neck_channels, **head}

    def set_teacher_temperature(self, temperature: float) -> None:
        """Sets the temperature of the teacher's targets."""
        self.head.teacher_temperature = temperature

    def loss(self, views: ViewBatch) -> dict[str, Tensor]:
        """Computes the loss of a batch; see `DINOHead.loss`.

        Raises:
            UserError: If the size of the views is not a multiple of the patch size.
        """
        cls_tokens = torch.cat([tokens[:, :1] for tokens in self.student_features(views).values()])
        student_scores, teacher_scores = self.neck(cls_tokens), self.teacher(views.global_images)
        by_view = (-1, views.batch_size)
        return self.head.loss(student_scores.unflatten(0, by_view), teacher_scores.unflatten(0, by_view))
