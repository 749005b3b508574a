# GTSA on ViT-S/16 (arXiv 2304.08014). All head widths follow the backbone.
# CHECKPOINT=FILE in the environment loads the student's backbone strictly; the teacher starts as its copy.
_base_ = []  # before the import, which mmengine 0.10.7 takes for a sign of another kind of config
import os  # noqa: E402

model = dict(
    type='mmssl_geo.GTSA',
    backbone=dict(
        type='mmssl_geo.SSLVisionTransformer',
        arch='deit-small',
        img_size=224,
        patch_size=16,
        drop_path_rate=0.1,
        out_type='featmap',
        final_norm=True,
        init_cfg=dict(type='Pretrained', checkpoint=os.environ.get('CHECKPOINT')),
    ),
    neck=dict(type='mmssl_geo.ConvProjector', out_channels=768, num_blocks=2, residual=True),
    head=dict(
        type='mmssl_geo.GTSAHead',
        predictor=dict(type='mmssl_geo.ConvProjector', out_channels=768, num_blocks=1, residual=False),
        rotation_head=dict(type='mmssl_geo.RotationHead'),
        crop_loss=dict(type='mmssl_geo.CropSimilarityLoss'),
        correspondence_loss=dict(type='mmssl_geo.PatchCorrespondenceLoss', match_share=0.5),
        correspondence_weight=0.5,
        rotation_weight=0.5,
    ),
    data_preprocessor=dict(type='mmssl_geo.MultiViewDataPreprocessor'),
)
