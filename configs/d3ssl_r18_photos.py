# D3SSL for any folder of photos, on a CPU or a small GPU: ResNet-18, 128 px views, random grid regions (no proposals
# needed).
#
# Images: train_dataloader.dataset.data_root=DIR.
_base_ = ['_base_/models/d3ssl_r50.py', '_base_/datasets/d3ssl_regions.py', '_base_/schedules/lars_100e.py']
model = dict(
    backbone=dict(depth=18),
    neck=dict(hidden_channels=512, out_channels=128),
    head=dict(predictor=dict(hidden_channels=512, out_channels=128)),
)
train_dataloader = dict(
    batch_size=16, num_workers=2, dataset=dict(pipeline=dict(views=dict(size=128), x2_small=dict(size=64)))
)
train_cfg = dict(max_epochs=20)
default_hooks = dict(schedule=dict(warmup_epochs=2), logger=dict(interval=10), collapse_monitor=dict(interval=20))
