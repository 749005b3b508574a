# FCN-16s on a pretrained ResNet-50, PASCAL VOC 2012 with SBD, 30k iterations on 8 GPUs x 2 images: the protocol of
# MoCo's paper (appendix A.5), which dense self-supervised methods share. The paper reports the mean of 5 runs.
# (DenseCL's paper has another one: mmseg's own FCN, 20k.)
#
#   weights:  CHECKPOINT=r50_mmseg.pth in the environment (without it: random weights), or by --cfg-options
#             model.backbone.init_cfg.checkpoint=r50_mmseg.pth
#   data:     DATA_ROOT=/data/VOCdevkit in the environment
#   another number of GPUs: set train_dataloader.batch_size so that the total is 16
_base_ = [
    '_base_/models/fcn-d6_r50.py',
    '_base_/datasets/voc12aug-513x513_moco.py',
    '_base_/schedules/30k_sgd.py',
    '_base_/default_runtime.py',
]

default_hooks = dict(checkpoint=dict(interval=3000))
