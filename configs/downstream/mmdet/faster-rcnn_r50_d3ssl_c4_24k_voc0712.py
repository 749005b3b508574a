# Faster R-CNN (C4) on a D3SSL-pretrained ResNet-50, PASCAL VOC 2007+2012, 24k iterations: MoCo's protocol, 8 GPUs x 2
# images, SyncBN. The metrics `pascal_voc/mAP`, `AP50` and `AP75` are explained in _base_/datasets/voc0712.py.
#
# Weights: CHECKPOINT=r50_mmdet.pth in the environment (default: random weights). To set it by --cfg-options:
# model.backbone.init_cfg.checkpoint=FILE model.roi_head.shared_head.init_cfg.checkpoint=FILE.
# Data: DATA_ROOT=/data/VOCdevkit in the environment, with VOC2007/ and VOC2012/.
# Batch: 16 images in total; on another number of GPUs, set train_dataloader.batch_size or use --auto-scale-lr.
_base_ = [
    '_base_/models/mask-rcnn_r50-c4.py',
    '_base_/datasets/voc0712.py',
    '_base_/schedules/24k_sgd.py',
    '_base_/default_runtime.py',
]

model = dict(
    type='FasterRCNN',
    data_preprocessor=dict(pad_mask=False),
    roi_head=dict(bbox_head=dict(num_classes=20), mask_head=None),
)

default_hooks = dict(checkpoint=dict(by_epoch=False, interval=2000))
log_processor = dict(by_epoch=False)
