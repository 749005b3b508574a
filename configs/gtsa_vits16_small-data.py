# GTSA on ViT-S/16 for thousands of photos and one GPU (docs/small_data.md).
#
# Images: train_dataloader.dataset.data_root=DIR (or ...ann_file=LIST).
# Weights: to start from a pretrained net (official GTSA, DINO, timm, ...), export it with `--to mmpretrain`, then set
# CHECKPOINT=vits16.pth in the environment and default_hooks.schedule.learning_rate.base=2e-4.
#
# Differences from the paper's recipe: a loss decorrelates the channels; crops are smaller, so that photos of 500 px are
# not shrunk far below the scale seen in fine-tuning; colours change less; the learning rate does not scale with the
# batch size; the teacher follows faster.
_base_ = 'gtsa_vits16_coco.py'
model = dict(
    backbone=dict(drop_path_rate=0.0),
    head=dict(decorrelation_loss=dict(type='mmssl_geo.DecorrelationLoss'), decorrelation_weight=4.0),
)
train_dataloader = dict(
    batch_size=32,
    dataset=dict(
        data_root='data/images/',
        data_prefix='',
        pipeline=dict(
            crop=dict(global_scale=(0.1, 0.5), local_scale=(0.03, 0.12)),
            photometric=dict(brightness=0.4, contrast=0.4, saturation=0.2, hue=0.05, grayscale_prob=0.1),
        ),
    ),
)
train_cfg = dict(max_epochs=300)
optim_wrapper = dict(dtype='bfloat16')
default_hooks = dict(
    schedule=dict(learning_rate=dict(base=5e-4, batch=None), warmup_epochs=2),
    teacher_update=dict(momentum=dict(start=0.99)),
    checkpoint=dict(interval=10),
)
