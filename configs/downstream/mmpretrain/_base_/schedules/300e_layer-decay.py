# GTSA's 300 epochs: AdamW with layer decay 0.65 per block, 5 epochs of warm-up from 0, cosine to 1e-6, half precision,
# total batch 1024. No weight decay on 1-D parameters, the position embedding and [CLS]. The final learning rate of a
# layer is decayed like its others, hence the ratio.
train_cfg = dict(by_epoch=True, max_epochs=300, val_interval=10)
val_cfg = dict()
test_cfg = dict()

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, by_epoch=True, begin=0, end=5, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=1e-6 / 1.4e-4,
        by_epoch=True,
        begin=5,
        end=300,
        convert_to_iter_based=True,
    ),
]

optim_wrapper = dict(
    type='mmssl_geo.AmpOptimWrapper',
    constructor='LearningRateDecayOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=1.4e-4, betas=(0.9, 0.999), weight_decay=0.05),
    paramwise_cfg=dict(
        layer_decay_rate=0.65,
        flat_decay_mult=0.0,
        custom_keys={'.pos_embed': dict(decay_mult=0.0), '.cls_token': dict(decay_mult=0.0)},
    ),
)

# the batch size that `--auto-scale-lr` scales the learning rate from
auto_scale_lr = dict(enable=False, base_batch_size=1024)
