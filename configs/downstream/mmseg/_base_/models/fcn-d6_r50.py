# MoCo's FCN-16s, which dense self-supervised methods share: ResNet-50 at stride 16 (dilation 2 in the last stage), two
# 3x3 convolutions of 256 channels with dilation 6, a 1x1 convolution.
_base_ = 'fcn_r50.py'

model = dict(
    data_preprocessor=dict(size=(513, 513)),
    backbone=dict(strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2)),
    decode_head=dict(
        channels=256, dilation=6, concat_input=False, dropout_ratio=0.0, num_classes=21, align_corners=True
    ),
    auxiliary_head=None,
)
