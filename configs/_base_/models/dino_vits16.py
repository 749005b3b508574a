# DINO on ViT-S/16 (arXiv 2104.14294). For small data, use fewer prototypes: model.neck.num_prototypes=4096.
# CHECKPOINT=FILE in the environment loads the student's backbone strictly; the teacher starts as its copy.
_base_ = []  # before the import, which mmengine 0.10.7 takes for a sign of another kind of config
import os  # noqa: E402

model = dict(
    type='mmssl_geo.DINO',
    backbone=dict(
        type='mmssl_geo.SSLVisionTransformer',
        arch='deit-small',
        img_size=224,
        patch_size=16,
        drop_path_rate=0.1,
        out_type='raw',
        final_norm=True,
        init_cfg=dict(type='Pretrained', checkpoint=os.environ.get('CHECKPOINT')),
    ),
    neck=dict(
        type='mmssl_geo.DINONeck',
        hidden_channels=2048,
        bottleneck_channels=256,
        num_prototypes=65536,
        norm_last_layer=True,
    ),
    head=dict(
        type='mmssl_geo.DINOHead', loss=dict(type='mmssl_geo.DINOLoss', student_temperature=0.1), center_momentum=0.9
    ),
    data_preprocessor=dict(type='mmssl_geo.MultiViewDataPreprocessor'),
)
