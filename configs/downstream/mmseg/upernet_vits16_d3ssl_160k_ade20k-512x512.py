# UPerNet on a pretrained ViT-S/16 with layer decay, ADE20K, 160k iterations: iBOT's protocol as run by D3SSL's authors,
# 8 GPUs x 2 images.
#
# Weights: CHECKPOINT=vits16_mmpretrain.pth in the environment (default: random weights).
# Export with --to mmpretrain, which keeps the final LayerNorm.
# Data: DATA_ROOT=/data/ADEChallengeData2016 in the environment.
# Batch: 16 images in total; on another number of GPUs, set train_dataloader.batch_size.
_base_ = [
    '_base_/models/upernet_vits16.py',
    '_base_/datasets/ade20k-512x512.py',
    '_base_/schedules/160k_layer-decay.py',
    '_base_/default_runtime.py',
]

default_hooks = dict(checkpoint=dict(interval=16000))
