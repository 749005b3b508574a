# iBOT's 160k: AdamW with layer decay 0.9 per block, 1500 iterations of warm-up on top of a linear decay to 0, half
# precision, total batch 16. No weight decay on norms and biases; the position embedding and [CLS] have it, as in their
# code.
train_cfg = dict(type='IterBasedTrainLoop', max_iters=160000, val_interval=16000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, by_epoch=False, begin=0, end=1500),
    dict(type='PolyLR', power=1.0, eta_min=0.0, by_epoch=False, begin=0, end=160000),
]

optim_wrapper = dict(
    type='mmssl_geo.AmpOptimWrapper',
    constructor='mmssl_geo.LayerDecayConstructor',
    optimizer=dict(type='AdamW', lr=3e-5, betas=(0.9, 0.999), weight_decay=0.05),
    paramwise_cfg=dict(layer_decay_rate=0.9, norm_decay_mult=0.0, bias_decay_mult=0.0),
)
