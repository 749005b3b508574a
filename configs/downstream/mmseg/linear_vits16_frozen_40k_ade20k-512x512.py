# Linear segmentation of the frozen patch tokens of a pretrained ViT-S/16, ADE20K, 40k iterations on 8 GPUs x 2 images
# (our choice of protocol).
#
#   weights:  CHECKPOINT=vits16_mmpretrain.pth in the environment (without it: random weights), or by --cfg-options
#             model.backbone.init_cfg.checkpoint=vits16_mmpretrain.pth
#             (exported --to mmpretrain, which keeps the final LayerNorm)
#   data:     DATA_ROOT=/data/ADEChallengeData2016 in the environment
#   another number of GPUs: set train_dataloader.batch_size so that the total is 16
_base_ = [
    '_base_/models/linear_vits16.py',
    '_base_/datasets/ade20k-512x512.py',
    '_base_/schedules/40k_linear.py',
    '_base_/default_runtime.py',
]
