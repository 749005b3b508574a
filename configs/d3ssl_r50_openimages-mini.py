# D3SSL on OpenImage-MINI with the COCO recipe. docs/proposals.md shows how to make the list and the proposals.
_base_ = 'd3ssl_r50_coco.py'
train_dataloader = dict(
    dataset=dict(
        data_root='data/openimages-mini/',
        data_prefix='',
        ann_file='train.txt',
        pipeline=dict(regions=dict(file='data/openimages-mini/proposals_train.safetensors')),
    )
)
