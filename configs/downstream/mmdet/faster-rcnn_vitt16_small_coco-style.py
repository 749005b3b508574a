# Faster R-CNN on ViT-Ti/16 for boxes without masks, in any small folder in COCO's layout, on one GPU or a CPU.
#
# Weights, data and classes: see mask-rcnn_vitt16_small_coco-style.py. The classes of others are set alike, without
# mask_head: model = dict(roi_head=dict(bbox_head=dict(num_classes=2))).
_base_ = 'mask-rcnn_vitt16_small_coco-style.py'

model = dict(
    type='FasterRCNN', data_preprocessor=dict(pad_mask=False), roi_head=dict(mask_roi_extractor=None, mask_head=None)
)

load, load_boxes = dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)
resize = dict(type='Resize', scale=(480, 320), keep_ratio=True)
test_pipeline = [
    load,
    resize,
    load_boxes,
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='TestTimeAug',
        transforms=[
            [resize],
            [dict(type='RandomFlip', prob=0.0), dict(type='RandomFlip', prob=1.0)],
            [load_boxes],
            [
                dict(
                    type='PackDetInputs',
                    meta_keys=(
                        'img_id',
                        'img_path',
                        'ori_shape',
                        'img_shape',
                        'scale_factor',
                        'flip',
                        'flip_direction',
                    ),
                )
            ],
        ],
    ),
]
train_dataloader = dict(
    dataset=dict(pipeline=[load, load_boxes, resize, dict(type='RandomFlip', prob=0.5), dict(type='PackDetInputs')])
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(metric='bbox')
test_evaluator = val_evaluator
