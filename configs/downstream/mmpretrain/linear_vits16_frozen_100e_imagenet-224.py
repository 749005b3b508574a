# Linear classification with a frozen ViT-S/16, ImageNet or any folder of its layout, 100 epochs on 8 GPUs x 128 images:
# DINO's linear evaluation with another feature. DINO joins [CLS] of the last four blocks; GTSA and D3SSL do not train
# [CLS], so here it is the mean of the last block's patch tokens. DINO's authors advise to try other learning rates.
#
#   weights:  CHECKPOINT=vits16_mmpretrain.pth in the environment (without it: random weights), or by --cfg-options
#             model.backbone.init_cfg.checkpoint=vits16_mmpretrain.pth
#   data:     DATA_ROOT=/data/imagenet in the environment
#   N classes: model.head.num_classes=N model.data_preprocessor.num_classes=N; below 5: val_evaluator.topk=1
#             test_evaluator.topk=1
#   [CLS] of the last block instead: model.backbone.out_type=cls_token model.neck=None
#   another number of GPUs: set train_dataloader.batch_size so that the total is 1024, or give --auto-scale-lr
_base_ = [
    '_base_/models/linear_vits16.py',
    '_base_/datasets/folder-224_linear.py',
    '_base_/schedules/100e_linear.py',
    '_base_/default_runtime.py',
]
