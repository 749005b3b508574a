"""GTSA: Geometric Transformation Sensitive Architecture (arXiv 2304.08014)."""

from typing import Any

from torch import Tensor

from mmssl_geo.registry import MODELS
from mmssl_geo.structures import ViewBatch

from .patch_mixing import PatchMixing, build_patch_mixing, token_cosines, token_weights
from .student_teacher import StudentTeacher


@MODELS.register_module()
class GTSA(StudentTeacher):
    """Student and EMA teacher whose targets change with rotation, crop and multi-crop.

    The student (`backbone`, `neck`, `head.predictor`) sees all views, the teacher (`teacher.backbone`,
    `teacher.neck`) the global ones.

    Args:
        backbone: Config of a backbone that outputs one map (`out_type='featmap'` of a vision transformer); its
            `drop_path_rate` is the student's, the teacher has none.
        neck: Config of the projector; `in_channels` and `hidden_channels` follow the backbone unless given.
        head: Config of `GTSAHead`; the widths of its predictor and rotation head follow the projector and the backbone
            unless given.
        data_preprocessor: Config of `MultiViewDataPreprocessor`.
        mixing: Config of `PatchMixing`, which adds de-coupling by mixed patches (`docs/d3ssl.md`); None: no mixing.
        init_cfg: As in mmengine.

    Raises:
        UserError: If the backbone does not support `mixing`.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        neck: dict[str, Any],
        head: dict[str, Any],
        data_preprocessor: dict[str, Any] | None = None,
        mixing: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(backbone, neck, head, data_preprocessor, init_cfg)
        self.mixing = build_patch_mixing(mixing, self.backbone)

    @staticmethod
    def complete_head(head: dict[str, Any], backbone_channels: int, neck_channels: int) -> dict[str, Any]:
        """Fills in the widths of the predictor and the rotation head; the head checks the configs."""
        widths = dict(predictor=neck_channels, rotation_head=backbone_channels)
        parts = {
            part: {'in_channels': width, **head[part]}
            for part, width in widths.items()
            if isinstance(head.get(part), dict)
        }
        return {**head, **parts}

    def set_epoch(self, epoch: int, warmup_epochs: float) -> None:
        """Opens the correspondence loss after the warm-up: 0-based `epoch > warmup_epochs`, official code."""
        self.head.set_gate(epoch > warmup_epochs)

    def loss(self, views: ViewBatch) -> dict[str, Tensor]:
        """Computes the losses of a batch; see `GTSAHead.loss` and, with `mixing`, `PatchMixing.losses`.

        Raises:
            UserError: If the size of the views is not a multiple of the patch size, or views are flipped.
        """
        features = self.student_features(views)
        predictions = self.head.predict({kind: self.neck(maps) for kind, maps in features.items()})
        teacher_projections = self.teacher(views.global_images)
        losses = self.head.loss(
            features, predictions, teacher_projections, views.pairs(), views.turns_by_kind(), self.feature_stride
        )
        if self.mixing is not None:
            losses.update(self.mixing_losses(self.mixing, views, teacher_projections))
        return losses

    def mixing_losses(self, mixing: PatchMixing, views: ViewBatch, teacher_projections: Tensor) -> dict[str, Tensor]:
        """Computes the losses of mixed global views: minus the cosine of every kept token to the teacher's there.

        A mixed view has the crop and the turn of the clean one, so the target is the teacher's map as it is.

        Args:
            mixing: Draws the mixed views.
            views: The batch.
            teacher_projections: Projector maps of the teacher's global views, shape (G * B, D, h, w).
        """
        mixed = mixing.draw(views.global_images, views.num_global, self.feature_stride, self.data_preprocessor)
        if mixed is None:
            return mixing.zero_losses(views.global_images.device)
        maps = self.backbone.forward_mixed(mixed.images, mixed.donors, mixed.mask)[-1]
        predictions = self.head.predict({'mixed': self.neck(maps)})['mixed']
        cosines = token_cosines(predictions, teacher_projections[mixed.index].detach())
        return mixing.losses(-cosines, cosines, token_weights(mixed.kept, cosines.dtype), mixed)
