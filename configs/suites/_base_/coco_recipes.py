# Pretraining on COCO train2017, 100 epochs on 8 GPUs x 64 images. `hours` are rough guesses, as in protocols.py.
recipes_hours = 100 * 118287 / 3600
coco_run = dict(data='coco', gpus=8, disk_gb=2)
vit_run = dict(coco_run, hours=recipes_hours / 100)
d3ssl_cfg_options = {'train_dataloader.dataset.pipeline.regions.file': '{data}/proposals_train2017.safetensors'}
d3ssl_r50_run = dict(coco_run, hours=recipes_hours / 150, cfg_options=d3ssl_cfg_options)
d3ssl_vit_run = dict(vit_run, cfg_options=d3ssl_cfg_options)

gtsa = dict(vit_run, config='configs/gtsa_vits16_coco.py')
dino = dict(vit_run, config='configs/dino_vits16_coco.py')
d3ssl = dict(d3ssl_r50_run, config='configs/d3ssl_r50_coco.py')
base = dict(d3ssl_r50_run, config='configs/d3ssl-base_r50_coco.py')
mixed = dict(d3ssl_vit_run, config='configs/d3ssl-mix_vits16_coco.py')
d3ssl_vits16 = dict(d3ssl_vit_run, config='configs/d3ssl_vits16_coco.py')
