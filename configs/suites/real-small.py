# Small sets of real photos, for two CPU cores or one GPU: pretraining of a six-block ViT on any folder of photos, then
# segmentation on CamVid's test split and detection in a small folder in COCO's layout.
_base_ = '_base_/protocols.py'

device = 'CPU core'
seeds = 5
tasks = ['semfpn_vitt16-d6_camvid', 'linear-probe_camvid', 'mask-rcnn_vitt16-d6_coco-small']
photos = dict(data='photos', hours=0.1, disk_gb=0.2)
shorter = {'train_cfg.max_epochs': 20, 'default_hooks.schedule.learning_rate.base': 2e-4}
recipes = {
    'gtsa': dict(config='configs/gtsa_vitt16-d6_small-data.py', **photos),
    'gtsa-paper': dict(config='configs/gtsa_vitt16-d6_photos.py', **photos),
    'dino': dict(config='configs/dino_vitt16-d6_photos.py', **photos),
    'd3ssl': dict(config='configs/d3ssl_vitt16-d6_photos.py', **photos),
    # DINO's weights, trained further with the small-data recipe and with the paper's
    'dino-gtsa': dict(config='configs/gtsa_vitt16-d6_small-data.py', init='dino', cfg_options=shorter, **photos),
    'dino-gtsa-paper': dict(config='configs/gtsa_vitt16-d6_photos.py', init='dino', cfg_options=shorter, **photos),
}
baselines = ['scratch', 'dino']
