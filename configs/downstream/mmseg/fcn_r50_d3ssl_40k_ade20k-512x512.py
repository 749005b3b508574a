# FCN on a D3SSL-pretrained ResNet-50, ADE20K, 40k iterations (our choice of protocol), 8 GPUs x 2 images.
#
# Weights: CHECKPOINT=r50_mmseg.pth in the environment (default: random weights).
# Data: DATA_ROOT=/data/ADEChallengeData2016 in the environment.
# Batch: 16 images in total; on another number of GPUs, set train_dataloader.batch_size.
_base_ = [
    '_base_/models/fcn_r50.py',
    '_base_/datasets/ade20k-512x512.py',
    '_base_/schedules/40k_sgd.py',
    '_base_/default_runtime.py',
]
