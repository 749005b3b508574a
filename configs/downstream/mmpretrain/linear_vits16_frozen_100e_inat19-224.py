# Linear classification with a frozen ViT-S/16, iNaturalist 2019, 100 epochs (our choice of protocol). For options see
# linear_vits16_frozen_100e_imagenet-224.py.
#
# Weights: CHECKPOINT=vits16_mmpretrain.pth in the environment (default: random weights).
# Data: DATA_ROOT=/data/inat19 in the environment.
# Batch: 1024 images in total; on another number of GPUs, set train_dataloader.batch_size or use --auto-scale-lr.
_base_ = [
    '_base_/models/linear_vits16.py',
    '_base_/datasets/inat19-224_linear.py',
    '_base_/schedules/100e_linear.py',
    '_base_/default_runtime.py',
]

model = dict(data_preprocessor=dict(num_classes=1010), head=dict(num_classes=1010))
