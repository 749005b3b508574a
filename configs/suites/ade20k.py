# Segmentation on ADE20K, for checkpoints of ViT-S/16. Without checkpoints, GTSA and DINO are pretrained on its training
# images.
_base_ = '_base_/protocols.py'

seeds = 3
tasks = ['semfpn_vits16_40k_ade20k', 'upernet_vits16_160k_ade20k', 'linear_vits16_40k_ade20k']
recipes = dict(
    gtsa=dict(config='configs/gtsa_vits16_ade20k.py', data='ade20k', gpus=8, hours=100 * 20210 / 100 / 3600, disk_gb=2),
    dino=dict(config='configs/dino_vits16_ade20k.py', data='ade20k', gpus=8, hours=100 * 20210 / 100 / 3600, disk_gb=2),
)
baselines = ['scratch', 'dino']
