# The paper's recipe: COCO train2017, 100 epochs, 8 GPUs x 64 images.
_base_ = ['_base_/models/gtsa_vits16.py', '_base_/datasets/multi_crop.py', '_base_/schedules/adamw_100e.py']
train_dataloader = dict(dataset=dict(data_root='data/coco/', data_prefix='train2017/'))
