# The backbone of all segmenters on ViT-S/16. CHECKPOINT in the environment names the weights.
_base_ = 'segmenter.py'
import os  # noqa: E402  (after _base_: mmengine 0.10.7 takes an earlier import for another kind of config)

model = dict(
    backbone=dict(
        type='mmssl_geo.SSLVisionTransformer',
        arch='deit-small',
        img_size=512,
        patch_size=16,
        out_type='featmap',
        init_cfg=dict(type='Pretrained', checkpoint=os.environ.get('CHECKPOINT')),
    )
)
