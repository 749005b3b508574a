# Baseline of gtsa_quickstart.py for two CPU cores: the same net, view sizes, batch size and epochs.
# The run is so short that the paper's teacher temperatures, 0.04 to 0.07, make all targets uniform; 0.02 avoids this.
_base_ = ['dino_vits16_coco.py', '_base_/models/vit_tiny_d4.py']
model = dict(
    backbone=dict(arch=dict(_delete_=True, **_base_._arch), img_size=128, patch_size=8, drop_path_rate=0.0),
    neck=dict(hidden_channels=512, bottleneck_channels=128, num_prototypes=1024),
)
train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    dataset=dict(
        data_root='data/scenes/',
        data_prefix='images/train/',
        pipeline=dict(crop=dict(global_size=64, local_size=32, num_local=4)),
    ),
)
train_cfg = dict(max_epochs=40)
optim_wrapper = dict(dtype='bfloat16')
default_hooks = dict(
    schedule=dict(learning_rate=dict(base=5e-4, batch=None), warmup_epochs=2),
    teacher_update=dict(momentum=dict(start=0.99)),
    checkpoint=dict(interval=10),
    teacher_temperature=dict(start=0.02, end=0.02, warmup_epochs=0),
    logger=dict(interval=10),
    collapse_monitor=dict(interval=20),
)
