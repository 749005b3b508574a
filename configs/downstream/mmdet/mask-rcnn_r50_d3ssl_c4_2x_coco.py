# mask-rcnn_r50_d3ssl_c4_1x_coco.py, twice as long.
_base_ = [
    '_base_/models/mask-rcnn_r50-c4.py',
    '_base_/datasets/coco-instance_ms.py',
    '_base_/schedules/2x_sgd.py',
    '_base_/default_runtime.py',
]

train_dataloader = dict(batch_size=2)
