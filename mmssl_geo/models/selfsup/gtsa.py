"""GTSA: Geometric Transformation Sensitive Architecture (arXiv 2304.08014)."""
from mmssl_geo.registry import MODELS

from .patch_mixing import token_cosines, token_weights
from .student_teacher import StudentTeacher


@MODELS.register_module()
class GTSA(StudentTeacher):
    """Student and EMA teacher whose targets change with rotation, crop and multi-crop.

    The student (`backbone`, `neck`, `head.predictor`) sees all views, the teacher (`teacher.backbone`,
    `teacher.neck`) the global ones.

    Args:
        backbone: config of a backbone that gives one map, `out_type='featmap'`; its `drop_path_rate` is the
            student's, the teacher has none.
        neck: config of the projector; `in_channels` and `hidden_channels` follow the backbone unless given.
        head: config of `GTSAHead`; the widths of its predictor and rotation head follow the backbone and the
            projector unless given.
        data_preprocessor: config of `MultiViewDataPreprocessor`.
        mixing: config of `PatchMixing`, which adds de-coupling by mixed patches (`docs/d3ssl.md`); None: none.
    """
    compares_patches = True

    @staticmethod
    def complete_head(head, backbone_channels, neck_channels):
        return _fill_in_channels(head, predictor=neck_channels, rotation_head=backbone_channels)

    def set_epoch(self, epoch, warmup_epochs):
        """Opens the patch-correspondence loss after the warm-up: 0-based `epoch > warmup_epochs`, official code."""
        self.head.set_gate(epoch > warmup_epochs)

    def loss(self, views):
        """Losses of a batch by name.

        Args:
            views: `ViewBatch`.

        Returns:
            dict: see `GTSAHead.loss` and, with `mixing`, `PatchMixing.losses`.

        Raises:
            UserError: if the views' size is no multiple of the patch size, or views are flipped.
        """
        features = self.student_features(views)
        predictions = self.head.predict({kind: self.neck(maps) for kind, maps in features.items()})
        teacher_projections = self.teacher(views.global_images)
        losses = self.head.loss(
            features, predictions, teacher_projections, views.pairs(), views.turns_by_kind(), self.patch_size)
        if self.mixing is not None:
            losses.update(self.mixing_losses(views, teacher_projections))
        return losses

    def mixing_losses(self, views, teacher_projections):
        """Losses of global views with mixed patches: minus the cosine of every kept token to the teacher's there.

        A mixed view has the crop and the turn of the clean one, so the target is the teacher's map as it is.
        """
        mixed = self.mixing.draw(views.global_images, views.num_global, self.patch_size, self.data_preprocessor)
        if mixed is None:
            return self.mixing.no_losses(views.global_images.device)
        maps = self.backbone.forward_mixed(mixed.images, mixed.others, mixed.marks)[-1]
        predictions = self.head.predict({'mixed': self.neck(maps)})['mixed']
        cosines = token_cosines(predictions, teacher_projections[mixed.index].detach())
        return self.mixing.losses(-cosines, cosines, token_weights(mixed.kept, cosines.dtype), mixed)


def _fill_in_channels(head, **in_channels):
    """Copy of a head's config in which the named parts have their `in_channels` unless given; the head checks them."""
    filled = {part: {'in_channels': width, **head[part]}
              for part, width in in_channels.items() if isinstance(head.get(part), dict)}
    return {**head, **filled}
