# The ViT-S/16 tables of D3SSL's authors: Cascade Mask R-CNN on COCO, UPerNet on ADE20K. They pretrain iBOT for 800
# epochs with mixed patches; this suite pretrains D3SSL on a ViT for 100 epochs, with and without them.
_base_ = ['_base_/protocols.py', '_base_/coco_recipes.py']

tasks = ['cascade-mask-rcnn_vits16_1x_coco', 'upernet_vits16_160k_ade20k']
recipes = {'d3ssl-mix': _base_.mixed, 'd3ssl-vits16': _base_.d3ssl_vits16}
baselines = ['d3ssl-vits16']
