# Small sets of real photos, for two CPU cores or one GPU: pretraining on any folder of photos, CamVid's segmentation
# evaluated on its test split, and detection in a small folder laid out as COCO. A ViT of six blocks.
_base_ = '_base_/protocols.py'

device = 'CPU core'
seeds = 5
tasks = ['semfpn_vitt16-d6_camvid', 'mask-rcnn_vitt16-d6_coco-small']
recipes = {
    'gtsa': dict(config='configs/gtsa_vitt16-d6_small-data.py', data='photos', hours=0.2, disk_gb=0.2),
    'gtsa-paper': dict(config='configs/gtsa_vitt16-d6_photos.py', data='photos', hours=0.2, disk_gb=0.2),
    'dino': dict(config='configs/dino_vitt16-d6_photos.py', data='photos', hours=0.2, disk_gb=0.2),
    'd3ssl': dict(config='configs/d3ssl_vitt16-d6_photos.py', data='photos', hours=0.2, disk_gb=0.2)}
baselines = ['scratch', 'dino']
