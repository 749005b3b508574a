# Semantic FPN on a GTSA-pretrained ViT-S/16, Cityscapes, 40k iterations (our choice of protocol), 8 GPUs x 2 images:
# net, optimizer and schedule of GTSA's ADE20K protocol, crops and sliding windows of SETR's configs in mmseg.
#
# Weights: CHECKPOINT=vits16_mmseg.pth in the environment (default: random weights).
# Data: DATA_ROOT=/data/cityscapes in the environment.
# Batch: 16 images in total; on another number of GPUs, set train_dataloader.batch_size.
_base_ = [
    '_base_/models/semfpn_vits16.py',
    '_base_/datasets/cityscapes-768x768.py',
    '_base_/schedules/40k.py',
    '_base_/default_runtime.py',
]

model = dict(
    data_preprocessor=dict(size=(768, 768)),
    backbone=dict(img_size=768),
    decode_head=dict(num_classes=19),
    test_cfg=dict(mode='slide', crop_size=(768, 768), stride=(512, 512)),
)
