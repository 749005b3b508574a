# From pretraining to a table on generated scenes, on two CPU cores: GTSA, DINO and random weights, two seeds each.
_base_ = '_base_/protocols.py'

device = 'CPU core'
seeds = 2
tasks = ['mask-rcnn_quickstart_scenes', 'semfpn_quickstart_scenes']
recipes = dict(
    gtsa=dict(config='configs/gtsa_quickstart.py', data='scenes', hours=0.1, disk_gb=0.1),
    dino=dict(config='configs/dino_quickstart.py', data='scenes', hours=0.1, disk_gb=0.1),
)
baselines = ['scratch', 'dino']
