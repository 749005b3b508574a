# De-coupling only: region augmentation, no x3.
_base_ = 'd3ssl_r50_coco.py'
train_dataloader = dict(dataset=dict(pipeline=dict(x3=None)))
