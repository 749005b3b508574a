# Baseline of gtsa_vits16_ade20k.py: DINO on the training images of ADE20K (2016).
_base_ = 'dino_vits16_coco.py'
train_dataloader = dict(dataset=dict(data_root='data/ade/ADEChallengeData2016/', data_prefix='images/training/'))
