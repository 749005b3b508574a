# Semantic FPN on a pretrained ViT-S/16, Cityscapes, 40k iterations on 8 GPUs x 2 images. Our choice: net, optimizer and
# schedule of GTSA's ADE20K protocol; crops of 768 and sliding windows as of SETR's configs in mmseg.
#
#   weights:  CHECKPOINT=vits16_mmseg.pth in the environment (without it: random weights), or by --cfg-options
#             model.backbone.init_cfg.checkpoint=vits16_mmseg.pth
#   data:     DATA_ROOT=/data/cityscapes in the environment
#   another number of GPUs: set train_dataloader.batch_size so that the total is 16
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
    test_cfg=dict(mode='slide', crop_size=(768, 768), stride=(512, 512)))
