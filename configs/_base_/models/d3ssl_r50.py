# D3SSL on ResNet-50 (arXiv 2303.16947): regions are pooled from C4 and pass through res5. Widths of the projector and
# predictor as in SoCo; their input widths follow the backbone.
# CHECKPOINT=FILE in the environment loads the student's backbone strictly; the teacher starts as its copy.
_base_ = []  # before the import, which mmengine 0.10.7 takes for a sign of another kind of config
import os  # noqa: E402

model = dict(
    type='mmssl_geo.D3SSL',
    backbone=dict(
        type='mmssl_geo.SSLResNet', depth=50, init_cfg=dict(type='Pretrained', checkpoint=os.environ.get('CHECKPOINT'))
    ),
    neck=dict(type='mmssl_geo.RegionProjector', hidden_channels=4096, out_channels=256),
    head=dict(
        type='mmssl_geo.D3SSLHead',
        predictor=dict(type='mmssl_geo.RegionProjector', hidden_channels=4096, out_channels=256),
        loss=dict(type='mmssl_geo.RegionSimilarityLoss'),
        dc_weight=1.0,
        dp_weight=1.0,
    ),
    teacher_x1='clean',
    data_preprocessor=dict(type='mmssl_geo.RegionViewDataPreprocessor'),
)

# SyncBN on several GPUs; plain BN on one GPU or a CPU
sync_bn = 'torch'
