# D3SSL on ViT-S/16 (our choice of backbone): regions are pooled from the patch map and averaged.
_base_ = 'd3ssl_r50.py'
import os  # noqa: E402  (after _base_: mmengine 0.10.7 takes an earlier import for another kind of config)

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmssl_geo.SSLVisionTransformer',
        arch='deit-small',
        img_size=224,
        patch_size=16,
        drop_path_rate=0.1,
        out_type='featmap',
        final_norm=True,
        init_cfg=dict(type='Pretrained', checkpoint=os.environ.get('CHECKPOINT')),
    )
)
