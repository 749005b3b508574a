# D3SSL on ViT-S/16 and COCO train2017 (our choice of net), GTSA's optimisation: AdamW, EMA from 0.996.
_base_ = ['_base_/models/d3ssl_vits16.py', '_base_/datasets/d3ssl_regions.py', '_base_/schedules/adamw_100e.py']
train_dataloader = dict(
    dataset=dict(
        data_root='data/coco/',
        data_prefix='train2017/',
        pipeline=dict(
            regions=dict(
                _delete_=True, type='mmssl_geo.LoadRegions', file='data/coco/proposals_train2017.safetensors'))))
