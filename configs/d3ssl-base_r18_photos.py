# Baseline of d3ssl_r18_photos.py (SoCo): no region augmentation, no x3.
_base_ = 'd3ssl-dp_r18_photos.py'
train_dataloader = dict(dataset=dict(pipeline=dict(x3=None)))
