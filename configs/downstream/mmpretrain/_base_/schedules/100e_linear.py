# DINO's linear evaluation: SGD, learning rate 0.001 per 256 images of the batch, cosine to 0 by epoch, no weight decay,
# 100 epochs, total batch 1024.
train_cfg = dict(by_epoch=True, max_epochs=100, val_interval=1)
val_cfg = dict()
test_cfg = dict()

param_scheduler = [dict(type='CosineAnnealingLR', T_max=100, by_epoch=True, begin=0, end=100)]
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.004, momentum=0.9, weight_decay=0.0))

# the batch size that `--auto-scale-lr` scales the learning rate from
auto_scale_lr = dict(enable=False, base_batch_size=1024)
