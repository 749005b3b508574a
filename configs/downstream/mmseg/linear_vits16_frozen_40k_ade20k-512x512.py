# Linear segmentation of a frozen ViT-S/16's patch tokens, ADE20K, 40k iterations (our choice of protocol), 8 GPUs x 2
# images.
#
# Weights: CHECKPOINT=vits16_mmpretrain.pth in the environment (default: random weights).
# Export with --to mmpretrain, which keeps the final LayerNorm.
# Data: DATA_ROOT=/data/ADEChallengeData2016 in the environment.
# Batch: 16 images in total; on another number of GPUs, set train_dataloader.batch_size.
_base_ = [
    '_base_/models/linear_vits16.py',
    '_base_/datasets/ade20k-512x512.py',
    '_base_/schedules/40k_linear.py',
    '_base_/default_runtime.py',
]
