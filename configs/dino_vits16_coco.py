# Baseline of gtsa_vits16_coco.py: DINO on COCO train2017, 100 epochs, 8 GPUs x 64 images.
_base_ = ['_base_/models/dino_vits16.py', '_base_/datasets/dino_multi_crop.py', '_base_/schedules/dino_100e.py']
train_dataloader = dict(dataset=dict(data_root='data/coco/', data_prefix='train2017/'))
