# D3SSL's views of COCO train2017 with object proposals. tools/make_proposals.py computes the proposals once
# (docs/d3ssl.md).
_base_ = 'd3ssl_regions.py'
train_dataloader = dict(
    dataset=dict(
        data_root='data/coco/',
        data_prefix='train2017/',
        pipeline=dict(
            regions=dict(_delete_=True, type='mmssl_geo.LoadRegions', file='data/coco/proposals_train2017.safetensors')
        ),
    )
)
