# Baseline of d3ssl_quickstart.py (SoCo): no region augmentation, no x3.
_base_ = 'd3ssl-dp_quickstart.py'
train_dataloader = dict(dataset=dict(pipeline=dict(x3=None)))
