# Mask R-CNN with slim heads on the six-block ViT of configs/*_vitt16-d6_*.py, for a small folder laid out as COCO is: a
# smoke test beside semfpn_vitt16-d6_real-small_camvid-256x256.py. Float32: mmcv's NMS takes no bfloat16 on a CPU.
#
#   weights, data, classes:  as in mask-rcnn_vitt16_small_coco-style.py
_base_ = ['mask-rcnn_vitt16_small_coco-style.py', '../../_base_/models/vit_tiny_d6.py']

model = dict(
    backbone=dict(
        arch=dict(_delete_=True, **_base_._arch),
        out_indices=[1, 2, 4, 5]))
