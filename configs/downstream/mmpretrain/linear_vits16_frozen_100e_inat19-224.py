# Linear classification with a frozen ViT-S/16, iNaturalist 2019 (our choice): as
# linear_vits16_frozen_100e_imagenet-224.py, where the options stand, too.
#
#   data:     DATA_ROOT=/data/inat19 in the environment
_base_ = [
    '_base_/models/linear_vits16.py',
    '_base_/datasets/inat19-224_linear.py',
    '_base_/schedules/100e_linear.py',
    '_base_/default_runtime.py',
]

model = dict(data_preprocessor=dict(num_classes=1010), head=dict(num_classes=1010))
