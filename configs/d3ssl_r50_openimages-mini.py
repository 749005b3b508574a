# D3SSL on OpenImage-MINI: the recipe of COCO.
_base_ = 'd3ssl_r50_coco.py'
train_dataloader = dict(
    dataset=dict(
        data_root='data/openimages-mini/',
        data_prefix='train/',
        pipeline=dict(regions=dict(file='data/openimages-mini/proposals_train.safetensors'))))
