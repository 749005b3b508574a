# Pretraining on COCO train2017, 100 epochs on 8 GPUs x 64 images. `hours` are rough guesses, as in protocols.py.
recipes_hours = 100 * 118287 / 3600
gtsa = dict(config='configs/gtsa_vits16_coco.py', data='coco', gpus=8, hours=recipes_hours / 100, disk_gb=2)
dino = dict(config='configs/dino_vits16_coco.py', data='coco', gpus=8, hours=recipes_hours / 100, disk_gb=2)
d3ssl_cfg_options = {'train_dataloader.dataset.pipeline.regions.file': '{data}/proposals_train2017.safetensors'}
d3ssl = dict(
    config='configs/d3ssl_r50_coco.py',
    data='coco',
    gpus=8,
    hours=recipes_hours / 150,
    disk_gb=2,
    cfg_options=d3ssl_cfg_options,
)
base = dict(
    config='configs/d3ssl-base_r50_coco.py',
    data='coco',
    gpus=8,
    hours=recipes_hours / 150,
    disk_gb=2,
    cfg_options=d3ssl_cfg_options,
)
mixed = dict(
    config='configs/d3ssl-mix_vits16_coco.py',
    data='coco',
    gpus=8,
    hours=recipes_hours / 100,
    disk_gb=2,
    cfg_options=d3ssl_cfg_options,
)
d3ssl_vits16 = dict(
    config='configs/d3ssl_vits16_coco.py',
    data='coco',
    gpus=8,
    hours=recipes_hours / 100,
    disk_gb=2,
    cfg_options=d3ssl_cfg_options,
)
