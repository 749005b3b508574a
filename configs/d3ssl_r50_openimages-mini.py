# D3SSL on OpenImage-MINI: the recipe of COCO. docs/proposals.md says how list and proposals are made.
_base_ = 'd3ssl_r50_coco.py'
train_dataloader = dict(
    dataset=dict(
        data_root='data/openimages-mini/',
        data_prefix='',
        ann_file='train.txt',
        pipeline=dict(regions=dict(file='data/openimages-mini/proposals_train.safetensors'))))
