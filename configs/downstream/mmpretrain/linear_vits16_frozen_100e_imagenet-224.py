# Linear classification with a frozen ViT-S/16, ImageNet or any folder of its layout, 100 epochs: DINO's linear
# evaluation with another feature, 8 GPUs x 128 images. DINO concatenates [CLS] of the last four blocks; GTSA and D3SSL
# do not train [CLS], so the feature is the mean of the last block's patch tokens. DINO's authors advise trying other
# learning rates.
#
# Weights: CHECKPOINT=vits16_mmpretrain.pth in the environment (default: random weights).
# Data: DATA_ROOT=/data/imagenet in the environment.
# Classes: model.head.num_classes=N model.data_preprocessor.num_classes=N; for fewer than 5, also val_evaluator.topk=1
# test_evaluator.topk=1.
# [CLS] of the last block as the feature: model.backbone.out_type=cls_token model.neck=None.
# Batch: 1024 images in total; on another number of GPUs, set train_dataloader.batch_size or use --auto-scale-lr.
_base_ = [
    '_base_/models/linear_vits16.py',
    '_base_/datasets/folder-224_linear.py',
    '_base_/schedules/100e_linear.py',
    '_base_/default_runtime.py',
]
