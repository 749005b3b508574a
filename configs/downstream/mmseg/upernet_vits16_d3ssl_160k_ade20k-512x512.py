# UPerNet on a pretrained ViT-S/16 with layer decay, ADE20K, 160k iterations: iBOT's protocol as D3SSL's authors run it,
# on 8 GPUs x 2 images.
#
#   weights:  CHECKPOINT=vits16_mmpretrain.pth in the environment (without it: random weights), or by --cfg-options
#             model.backbone.init_cfg.checkpoint=vits16_mmpretrain.pth
#             (exported --to mmpretrain, which keeps the final LayerNorm)
#   data:     DATA_ROOT=/data/ADEChallengeData2016 in the environment
#   another number of GPUs: set train_dataloader.batch_size so that the total is 16
_base_ = [
    '_base_/models/upernet_vits16.py',
    '_base_/datasets/ade20k-512x512.py',
    '_base_/schedules/160k_layer-decay.py',
    '_base_/default_runtime.py',
]

default_hooks = dict(checkpoint=dict(interval=16000))
