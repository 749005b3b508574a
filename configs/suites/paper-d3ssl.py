# The usual benchmarks of dense self-supervised learning, for D3SSL on ResNet-50 (arXiv 2303.16947): COCO, PASCAL VOC,
# Cityscapes. The baseline is D3SSL without its two modules. The paper's numbers for these are not public.
_base_ = ['_base_/protocols.py', '_base_/coco_recipes.py']

tasks = [
    'mask-rcnn_r50-c4_1x_coco',
    'mask-rcnn_r50-c4_2x_coco',
    'mask-rcnn_r50-fpn_1x_coco',
    'mask-rcnn_r50-fpn_2x_coco',
    'faster-rcnn_r50-c4_24k_voc0712',
    'fcn_r50_30k_voc12aug',
    'fcn_r50_90k_cityscapes',
]
recipes = dict(d3ssl=_base_.d3ssl, base=_base_.base)
baselines = ['base']
