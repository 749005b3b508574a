# D3SSL's authors' later tables for ViT-S/16: Cascade Mask R-CNN on COCO, UPerNet on ADE20K. Theirs is iBOT for 800
# epochs with mixed patches on top; here it is this project's D3SSL on a ViT, without and with them, for 100 epochs.
_base_ = ['_base_/protocols.py', '_base_/coco_recipes.py']

tasks = ['cascade-mask-rcnn_vits16_1x_coco', 'upernet_vits16_160k_ade20k']
recipes = {'d3ssl-mix': _base_.mixed, 'd3ssl-vits16': _base_.d3ssl_vits16}
baselines = ['d3ssl-vits16']
