# Semantic FPN on a GTSA-pretrained ViT-S/16, ADE20K, 40k iterations: the authors' protocol on 8 GPUs x 2 images.
#
#   weights:  CHECKPOINT=vits16_mmseg.pth in the environment (without it: random weights), or by --cfg-options
#             model.backbone.init_cfg.checkpoint=vits16_mmseg.pth
#   data:     DATA_ROOT=/data/ADEChallengeData2016 in the environment, or by --cfg-options
#             train_dataloader.dataset.data_root=R val_dataloader.dataset.data_root=R
#             test_dataloader.dataset.data_root=R
#   another number of GPUs: set train_dataloader.batch_size so that the total is 16
_base_ = [
    '_base_/models/semfpn_vits16.py',
    '_base_/datasets/ade20k-512x512.py',
    '_base_/schedules/40k.py',
    '_base_/default_runtime.py',
]
