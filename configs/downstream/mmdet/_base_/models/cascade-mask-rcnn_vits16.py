# iBOT's detector, which D3SSL's authors use for ViTs: Cascade Mask R-CNN on the maps of blocks 4, 6, 8 and 12 of
# ViT-S/16 without the final LayerNorm, with 4-convolution box heads and GIoU losses on decoded boxes. The position
# embedding is resized once, to 800 x 1008 pixels, and trained at that size.
_base_ = 'mmdet::_base_/models/cascade-mask-rcnn_r50_fpn.py'
import os  # noqa: E402  (after _base_: mmengine 0.10.7 takes an earlier import for another kind of config)

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmssl_geo.SSLVisionTransformer',
        arch='deit-small',
        img_size=(800, 1008),
        patch_size=16,
        drop_path_rate=0.1,
        out_indices=[3, 5, 7, 11],
        out_type='featmap',
        final_norm=False,
        init_cfg=dict(type='Pretrained', checkpoint=os.environ.get('CHECKPOINT')),
    ),
    neck=[
        dict(type='mmssl_geo.ViTPyramid', channels=384),
        dict(type='FPN', in_channels=[384, 384, 384, 384], out_channels=256, num_outs=5),
    ],
    roi_head=dict(
        bbox_head=[
            dict(
                type='Shared4Conv1FCBBoxHead',
                in_channels=256,
                conv_out_channels=256,
                fc_out_channels=1024,
                roi_feat_size=7,
                num_classes=80,
                bbox_coder=dict(type='DeltaXYWHBBoxCoder', target_means=[0.0, 0.0, 0.0, 0.0], target_stds=deviations),
                reg_class_agnostic=False,
                reg_decoded_bbox=True,
                norm_cfg=dict(type='BN', requires_grad=True),
                loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0),
                loss_bbox=dict(type='GIoULoss', loss_weight=10.0),
            )
            for deviations in ([0.1, 0.1, 0.2, 0.2], [0.05, 0.05, 0.1, 0.1], [0.033, 0.033, 0.067, 0.067])
        ]
    ),
)
