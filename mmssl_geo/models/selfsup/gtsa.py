"""GTSA: Geometric Transformation Sensitive Architecture (arXiv 2304.08014)."""
import torch
from mmpretrain.models import BaseSelfSupervisor

from mmssl_geo.errors import NonFiniteLossError, UserError
from mmssl_geo.registry import MODELS

from .teacher import Teacher


@MODELS.register_module()
class GTSA(BaseSelfSupervisor):
    """Student and EMA teacher whose targets change with rotation, crop and multi-crop.

    The student (`backbone`, `neck`, `head.predictor`) sees all views, the teacher (`teacher.backbone`,
    `teacher.neck`) the global ones. The teacher is moved by `TeacherUpdateHook`, once per optimizer step.

    Args:
        backbone: config of a backbone that gives one map, `out_type='featmap'`; its `drop_path_rate` is the
            student's, the teacher has none.
        neck: config of the projector; `in_channels` and `hidden_channels` follow the backbone unless given.
        head: config of `GTSAHead`; the widths of its predictor and rotation head follow the backbone and the
            projector unless given.
        data_preprocessor: config of `MultiViewDataPreprocessor`.
    """

    def __init__(self, backbone, neck, head, data_preprocessor=None, init_cfg=None):
        teacher_backbone = MODELS.build({**backbone, 'drop_path_rate': 0.})
        width = teacher_backbone.embed_dims
        neck = {'in_channels': width, **neck}
        teacher_neck = MODELS.build(neck)
        head = _fill_in_channels(head, predictor=teacher_neck.out_channels, rotation_head=width)
        super().__init__(
            backbone=backbone, neck=neck, head=head,
            data_preprocessor=data_preprocessor or dict(type='mmssl_geo.MultiViewDataPreprocessor'),
            init_cfg=init_cfg)
        self.patch_size = teacher_backbone.patch_embed.projection.stride[0]
        self.teacher = Teacher(teacher_backbone, teacher_neck)
        self.teacher.copy_from(self.backbone, self.neck)

    def init_weights(self):
        """Initialises the student; the teacher starts as its copy."""
        super().init_weights()
        self.teacher.copy_from(self.backbone, self.neck)

    def update_teacher(self, momentum):
        """Moves the teacher towards the student: `momentum * teacher + (1 - momentum) * student`."""
        self.teacher.update(self.backbone, self.neck, momentum)

    def set_epoch(self, epoch, warmup_epochs):
        """Opens the patch-correspondence loss after the warm-up: 0-based `epoch > warmup_epochs`, official code."""
        self.head.set_gate(epoch > warmup_epochs)

    def forward(self, views, mode='tensor'):
        """Losses of a `ViewBatch` (`mode='loss'`) or backbone maps of images `(N, 3, H, W)` (`mode='tensor'`)."""
        if mode == 'loss':
            return self.loss(views)
        if mode == 'tensor':
            return self.extract_feat(views)
        raise ValueError(f'mode must be "loss" or "tensor", got {mode!r}')

    def extract_feat(self, images):
        """The student's backbone map `(N, C, H / patch, W / patch)`, after the final LayerNorm."""
        return self.backbone(images)[-1]

    def loss(self, views):
        """Losses of a batch by name.

        Args:
            views: `ViewBatch`.

        Returns:
            dict: see `GTSAHead.loss`.

        Raises:
            UserError: if the views' size is no multiple of the patch size, or no view has a partner.
        """
        for kind, images in views.images().items():
            if images.shape[-1] % self.patch_size:
                raise UserError(
                    f'{kind} views of {images.shape[-1]} px cannot be cut into patches of {self.patch_size} px: set '
                    f'train_dataloader.dataset.pipeline.crop.{kind}_size to a multiple of it')
        features = {kind: self.extract_feat(images) for kind, images in views.images().items()}
        predictions = self.head.predict({kind: self.neck(maps) for kind, maps in features.items()})
        teacher_projections = self.teacher(views.global_images)
        return self.head.loss(
            features, predictions, teacher_projections, views.pairs(), views.turns_by_kind(), self.patch_size)

    def parse_losses(self, losses):
        """As mmengine's, but a loss that is not finite stops the run before it reaches the weights.

        Raises:
            NonFiniteLossError: names the losses that are not finite.
        """
        names = [name for name in losses if 'loss' in name]
        finite = torch.stack([losses[name].detach() for name in names]).isfinite()
        if not finite.all():  # the one moment of a step at which the host waits for the device
            raise NonFiniteLossError([name for name, good in zip(names, finite.tolist(), strict=True) if not good])
        return super().parse_losses(losses)


def _fill_in_channels(head, **in_channels):
    """Copy of a head's config in which the named parts have their `in_channels` unless given."""
    return {**head, **{part: {'in_channels': width, **head[part]} for part, width in in_channels.items()}}
