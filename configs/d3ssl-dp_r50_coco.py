# De-positioning only: x3, no region augmentation of the other views.
_base_ = 'd3ssl_r50_coco.py'
_whole_view = dict(steps=dict(cutout=None, context=None))
train_dataloader = dict(dataset=dict(pipeline=dict(x1_cut=_whole_view, x2_small=_whole_view)))
