# D3SSL on ResNet-50 and COCO train2017: SoCo's schedule of 100 epochs (400: train_cfg.max_epochs=400), 8 GPUs x 64
# images.
_base_ = ['_base_/models/d3ssl_r50.py', '_base_/datasets/d3ssl_regions_coco.py', '_base_/schedules/lars_100e.py']
