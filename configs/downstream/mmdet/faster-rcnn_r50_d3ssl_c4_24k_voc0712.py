# Faster R-CNN (C4) on a D3SSL-pretrained ResNet-50, PASCAL VOC 2007+2012, 24k iterations: MoCo's protocol on 8 GPUs x 2
# images, BN over all GPUs. AP, AP50 and AP75 are `pascal_voc/mAP`, `AP50` and `AP75`; see _base_/datasets/voc0712.py for how.
#
#   weights:  CHECKPOINT=r50_mmdet.pth in the environment, C4 and res5 take their parts of it; or one file twice by
#             --cfg-options model.backbone.init_cfg.checkpoint=F model.roi_head.shared_head.init_cfg.checkpoint=F
#             (without either: random weights)
#   data:     DATA_ROOT=/data/VOCdevkit in the environment, with VOC2007/ and VOC2012/ in it
#   another number of GPUs: set train_dataloader.batch_size so that the total is 16, or give --auto-scale-lr
_base_ = [
    '_base_/models/mask-rcnn_r50-c4.py',
    '_base_/datasets/voc0712.py',
    '_base_/schedules/24k_sgd.py',
    '_base_/default_runtime.py',
]

model = dict(
    type='FasterRCNN',
    data_preprocessor=dict(pad_mask=False),
    roi_head=dict(bbox_head=dict(num_classes=20), mask_head=None))

default_hooks = dict(checkpoint=dict(by_epoch=False, interval=2000))
log_processor = dict(by_epoch=False)
