# D3SSL on ViT-S/16 and COCO train2017 (our choice of backbone), with GTSA's optimisation: AdamW, EMA from 0.996.
_base_ = ['_base_/models/d3ssl_vits16.py', '_base_/datasets/d3ssl_regions_coco.py', '_base_/schedules/adamw_100e.py']
