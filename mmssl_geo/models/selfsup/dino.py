"""DINO: self-distillation with no labels (arXiv 2104.14294)."""
import torch

from mmssl_geo.registry import MODELS
from mmssl_geo.utils.errors import UserError

from .student_teacher import StudentTeacher


@MODELS.register_module()
class DINO(StudentTeacher):
    """The student's [CLS] of every view has to name the prototypes that the teacher's [CLS] of a global view names.

    Args:
        backbone: config of a vision transformer that gives its tokens after the final LayerNorm, `out_type='raw'`;
            its `drop_path_rate` is the student's, the teacher has none.
        neck: config of `DINONeck`; `in_channels` follows the backbone unless given.
        head: config of `DINOHead`; `num_prototypes` follows the neck unless given.
        data_preprocessor: config of `MultiViewDataPreprocessor`.

    Raises:
        UserError: if the backbone gives no tokens.
    """

    def __init__(self, backbone, *args, **kwargs):
        if backbone.get('out_type') != 'raw':
            raise UserError("model.backbone.out_type must be 'raw' (a vision transformer's tokens, of which DINO takes "
                            f'[CLS]), got {backbone.get("out_type")!r}')
        super().__init__(backbone, *args, **kwargs)

    @staticmethod
    def complete_head(head, backbone_channels, neck_channels):
        return {'num_prototypes': neck_channels, **head}

    def set_teacher_temperature(self, temperature):
        """Sets the temperature of the teacher's targets."""
        self.head.teacher_temperature = temperature

    def loss(self, views):
        """Losses of a batch by name.

        Args:
            views: `ViewBatch`.

        Returns:
            dict: see `DINOHead.loss`.

        Raises:
            UserError: if the views' size is no multiple of the patch size.
        """
        cls_tokens = torch.cat([tokens[:, :1] for tokens in self.student_features(views).values()])
        student_scores, teacher_scores = self.neck(cls_tokens), self.teacher(views.global_images)
        by_view = (-1, views.batch_size)
        return self.head.loss(student_scores.unflatten(0, by_view), teacher_scores.unflatten(0, by_view))
