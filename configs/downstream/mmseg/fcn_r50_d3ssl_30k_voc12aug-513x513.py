# FCN-16s on a D3SSL-pretrained ResNet-50, PASCAL VOC 2012 with SBD, 30k iterations: the protocol of MoCo's paper
# (appendix A.5), 8 GPUs x 2 images. The paper reports the mean of 5 runs. (DenseCL's paper uses another one: mmseg's
# FCN, 20k.)
#
# Weights: CHECKPOINT=r50_mmseg.pth in the environment (default: random weights).
# Data: DATA_ROOT=/data/VOCdevkit in the environment.
# Batch: 16 images in total; on another number of GPUs, set train_dataloader.batch_size.
_base_ = [
    '_base_/models/fcn-d6_r50.py',
    '_base_/datasets/voc12aug-513x513_moco.py',
    '_base_/schedules/30k_sgd.py',
    '_base_/default_runtime.py',
]

default_hooks = dict(checkpoint=dict(interval=3000))
