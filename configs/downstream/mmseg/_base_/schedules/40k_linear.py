# 40k for a linear head (our choice, after DINOv2's linear segmentation): AdamW, 1500 iterations of warm-up on top of a
# linear decay to 0, total batch 16.
_base_ = '40k.py'

optim_wrapper = dict(optimizer=dict(lr=1e-3, weight_decay=1e-4), paramwise_cfg=None)
