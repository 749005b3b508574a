# iBOT's AdamW with layer decay, as run by D3SSL's authors: 12 epochs, steps at 8 and 11, 500 iterations of warm-up,
# decay 0.8 per block, half precision, total batch 32. No weight decay on norms and biases; the position embedding and
# [CLS] have it, as in their code.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=12, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(type='MultiStepLR', by_epoch=True, begin=0, end=12, milestones=[8, 11], gamma=0.1),
]

optim_wrapper = dict(
    type='mmssl_geo.AmpOptimWrapper',
    constructor='mmssl_geo.LayerDecayConstructor',
    optimizer=dict(type='AdamW', lr=1e-4, betas=(0.9, 0.999), weight_decay=0.05),
    paramwise_cfg=dict(layer_decay_rate=0.8, norm_decay_mult=0.0, bias_decay_mult=0.0),
)

# the batch size that `--auto-scale-lr` scales the learning rate from
auto_scale_lr = dict(enable=False, base_batch_size=32)
