# Mask R-CNN with small heads on the six-block ViT of configs/*_vitt16-d6_*.py, for a small folder in COCO's layout. It
# trains in float32, because mmcv's NMS does not support bfloat16 on a CPU.
#
# Weights, data and classes: see mask-rcnn_vitt16_small_coco-style.py.
_base_ = ['mask-rcnn_vitt16_small_coco-style.py', '../../_base_/models/vit_tiny_d6.py']

model = dict(backbone=dict(arch=dict(_delete_=True, **_base_._arch), out_indices=[1, 2, 4, 5]))
