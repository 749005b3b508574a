# Fine-tuning a GTSA-pretrained ViT-S/16 on iNaturalist 2019, 300 epochs: the authors' protocol on 8 GPUs x 128 images.
#
#   weights:  CHECKPOINT=vits16_mmseg.pth in the environment (without it: random weights), or by --cfg-options
#             model.backbone.init_cfg.checkpoint=vits16_mmseg.pth
#             (exported --to mmseg: the authors' classifier passes over the backbone's final LayerNorm)
#   data:     DATA_ROOT=/data/inat19 in the environment
#   another number of GPUs: set train_dataloader.batch_size so that the total is 1024, or give --auto-scale-lr
_base_ = [
    '_base_/models/finetune_vits16.py',
    '_base_/datasets/inat19-224.py',
    '_base_/schedules/300e_layer-decay.py',
    '_base_/default_runtime.py',
]
