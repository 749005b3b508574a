# FCN on a D3SSL-pretrained ResNet-50, ADE20K, 40k iterations on 8 GPUs x 2 images (our choice of protocol).
#
#   weights:  CHECKPOINT=r50_mmseg.pth in the environment (without it: random weights), or by --cfg-options
#             model.backbone.init_cfg.checkpoint=r50_mmseg.pth
#   data:     DATA_ROOT=/data/ADEChallengeData2016 in the environment, or by --cfg-options
#             train_dataloader.dataset.data_root=R val_dataloader.dataset.data_root=R
#             test_dataloader.dataset.data_root=R
#   another number of GPUs: set train_dataloader.batch_size so that the total is 16
_base_ = [
    '_base_/models/fcn_r50.py',
    '_base_/datasets/ade20k-512x512.py',
    '_base_/schedules/40k_sgd.py',
    '_base_/default_runtime.py',
]
