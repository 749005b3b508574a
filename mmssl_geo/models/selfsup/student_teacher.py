"""What self-distillation methods share: a student, its EMA teacher, and losses of a batch of views."""
from abc import abstractmethod

import torch
from mmpretrain.models import BaseSelfSupervisor

from mmssl_geo.registry import MODELS
from mmssl_geo.utils.errors import NonFiniteLossError, UserError

from .teacher import Teacher


class StudentTeacher(BaseSelfSupervisor):
    """A student (`backbone`, `neck`) and the EMA teacher of both; a method adds `loss`.

    The teacher (`teacher.backbone`, `teacher.neck`) starts as the student's copy, has no drop path and is moved by
    `TeacherUpdateHook`, once per optimizer step.

    Args:
        backbone: config of a backbone of ours; its `drop_path_rate` is the student's.
        neck: config of the projector; `in_channels` follows the backbone unless given.
        head: config of the head.
        data_preprocessor: config; None: `MultiViewDataPreprocessor`.
        batch_statistics: whether the teacher normalises by the batch, see `Teacher`.
        mixing: config of `PatchMixing`, for methods that compare patches or regions on a vision transformer.

    Raises:
        UserError: if the method or the backbone cannot mix patches.
    """
    compares_patches = False

    def __init__(self, backbone, neck, head, data_preprocessor=None, init_cfg=None, batch_statistics=False,
                 mixing=None):
        teacher_backbone = MODELS.build({**backbone, 'drop_path_rate': 0.})
        neck = {'in_channels': teacher_backbone.embed_dims, **neck}
        teacher_neck = MODELS.build(neck)
        super().__init__(
            backbone=backbone, neck=neck,
            head=self.complete_head(head, teacher_backbone.embed_dims, teacher_neck.out_channels),
            data_preprocessor=data_preprocessor or dict(type='mmssl_geo.MultiViewDataPreprocessor'),
            init_cfg=init_cfg)
        self.patch_size = teacher_backbone.stride
        self.teacher = Teacher(teacher_backbone, teacher_neck, batch_statistics)
        self.teacher.copy_from(self.backbone, self.neck)
        self.mixing = None if mixing is None else self._build_mixing(mixing)

    def _build_mixing(self, mixing):
        if not self.compares_patches:
            raise UserError(f'model.mixing: {type(self).__name__} compares whole images, which mixed patches would '
                            'falsify: leave model.mixing out')
        if not hasattr(self.backbone, 'forward_mixed'):
            raise UserError(f'model.mixing: {type(self.backbone).__name__} has no patch embeddings to mix: take a '
                            'vision transformer (model.backbone.type=mmssl_geo.SSLVisionTransformer) or leave '
                            'model.mixing out')
        return MODELS.build(mixing)

    @staticmethod
    @abstractmethod
    def complete_head(head, backbone_channels, neck_channels):
        """The head's config with the widths that follow from backbone and neck."""

    def init_weights(self):
        """Initialises the student; the teacher starts as its copy."""
        super().init_weights()
        self.teacher.copy_from(self.backbone, self.neck)

    @torch.no_grad()
    def teacher_tokens(self, images):
        """The teacher backbone's patch tokens `(N, L, C)`, without [CLS], of images `(N, 3, H, W)`."""
        output = self.teacher.backbone(images)[-1]
        if self.backbone.out_type == 'raw':
            return output[:, self.backbone.num_extra_tokens:]
        return output.flatten(2).transpose(1, 2)

    def update_teacher(self, momentum):
        """Moves the teacher towards the student: `momentum * teacher + (1 - momentum) * student`."""
        self.teacher.update(self.backbone, self.neck, momentum)

    def forward(self, views, mode='tensor'):
        """Losses of a batch of views (`mode='loss'`) or backbone output of images `(N, 3, H, W)` (`mode='tensor'`)."""
        if mode == 'loss':
            return self.loss(views)
        if mode == 'tensor':
            return self.extract_feat(views)
        raise ValueError(f'mode must be "loss" or "tensor", got {mode!r}')

    def extract_feat(self, images):
        """The student backbone's last output for images `(N, 3, H, W)`."""
        return self.backbone(images)[-1]

    def student_features(self, views):
        """The student backbone's outputs by kind of view, view-major.

        Raises:
            UserError: if the views' size is no multiple of the patch size.
        """
        for kind, images in views.images().items():
            if images.shape[-1] % self.patch_size:
                raise UserError(
                    f'{kind} views of {images.shape[-1]} px cannot be cut into patches of {self.patch_size} px: set '
                    f'train_dataloader.dataset.pipeline.crop.{kind}_size to a multiple of it')
        return {kind: self.extract_feat(images) for kind, images in views.images().items()}

    def parse_losses(self, losses):
        """As mmengine's, but a loss that is not finite stops the run before it reaches the weights.

        On a GPU the host does not wait for the losses here: `FiniteHook` stops the run one iteration later.

        Raises:
            NonFiniteLossError: names the losses that are not finite.
        """
        total, log = super().parse_losses(losses)
        if total.is_cpu:
            bad = [name for name, value in losses.items() if 'loss' in name and not value.isfinite()]
            if bad:
                raise NonFiniteLossError(bad)
        return total, log
