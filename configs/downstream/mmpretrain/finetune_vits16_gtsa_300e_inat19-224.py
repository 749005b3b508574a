# Fine-tuning of a GTSA-pretrained ViT-S/16 on iNaturalist 2019, 300 epochs: the authors' protocol, 8 GPUs x 128 images.
#
# Weights: CHECKPOINT=vits16_mmseg.pth in the environment (default: random weights).
# Export with --to mmseg, since the authors' classifier skips the backbone's final LayerNorm.
# Data: DATA_ROOT=/data/inat19 in the environment.
# Batch: 1024 images in total; on another number of GPUs, set train_dataloader.batch_size or use --auto-scale-lr.
_base_ = [
    '_base_/models/finetune_vits16.py',
    '_base_/datasets/inat19-224.py',
    '_base_/schedules/300e_layer-decay.py',
    '_base_/default_runtime.py',
]
