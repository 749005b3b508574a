# semfpn_vits16_gtsa_40k_ade20k-512x512.py with ViT-B/16 (our choice: the authors report ViT-S only).
_base_ = 'semfpn_vits16_gtsa_40k_ade20k-512x512.py'

model = dict(backbone=dict(arch='deit-base'), neck=dict(in_channels=[768, 768, 768, 768]))
