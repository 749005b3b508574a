# The baseline of gtsa_vits16_ade20k.py: ADE20K (2016), training images.
_base_ = 'dino_vits16_coco.py'
train_dataloader = dict(dataset=dict(data_root='data/ade/ADEChallengeData2016/', data_prefix='images/training/'))
