# De-positioning alone: x3, no region augmentation of the other views.
_base_ = 'd3ssl_r18_photos.py'
whole = dict(steps=dict(cutout=None, context=None))
train_dataloader = dict(dataset=dict(pipeline=dict(x1_cut=whole, x2_small=whole)))
