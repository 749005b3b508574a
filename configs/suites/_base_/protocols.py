# Data sets and protocols that suites choose from; custom suites may add to both.
#
# `hours` is the time of one job on one A100-class GPU: images seen / images per second. The rates are rough guesses for
# planning, not measurements. `paper` holds published numbers.
data = dict(
    scenes=dict(layout='made by tools/make_scenes.py', scenes=dict(num_train=256, num_val=96)),
    coco=dict(layout='a folder with train2017/, val2017/ and annotations/instances_{train,val}2017.json'),
    ade20k=dict(layout='ADEChallengeData2016, with images/ and annotations/{training,validation}/'),
    voc=dict(layout='VOCdevkit, with VOC2007/ and VOC2012/ (and its SegmentationClassAug/)'),
    cityscapes=dict(layout='a folder with leftImg8bit/ and gtFine/{train,val}/, including *_gtFine_labelTrainIds.png'),
    inat19=dict(layout='a folder with train_val2019/, train2019.json and val2019.json'),
    camvid=dict(layout='a folder with images/ and labels/{train,val,test}/'),
)
data['photos'] = dict(layout='any folder of photos, without labels')
data['coco-small'] = dict(layout="a small folder in COCO's layout with its 80 classes, or a custom config")

instances = {
    'box AP': 'coco/bbox_mAP',
    'box AP50': 'coco/bbox_mAP_50',
    'mask AP': 'coco/segm_mAP',
    'mask AP50': 'coco/segm_mAP_50',
}
segments = {'mIoU': 'mIoU', 'mAcc': 'mAcc'}
accuracies = {'top-1': 'accuracy/top1', 'top-5': 'accuracy/top5'}
coco = dict(data='coco', target='mmdet', metrics=instances, scale=100, gpus=8, disk_gb=1.1)
ade20k = dict(data='ade20k', target='mmseg', metrics=segments, gpus=8, disk_gb=0.7)
camvid = dict(data='camvid', target='mmseg', metrics=segments, hours=1, disk_gb=0.2)
coco_small = dict(data='coco-small', target='mmdet', metrics=instances, scale=100, hours=1, disk_gb=0.4)
epoch = 118287 / 3600  # an epoch of COCO: hours at one image per second

protocols = {
    # generated scenes; hours on one CPU core. Intermediate checkpoints let a killed job resume.
    'mask-rcnn_quickstart_scenes': dict(
        config='configs/downstream/mmdet/mask-rcnn_quickstart_scenes.py',
        data='scenes',
        target='mmdet',
        metrics=instances,
        scale=100,
        hours=0.06,
        disk_gb=0.1,
        cfg_options={'default_hooks.checkpoint.interval': 5, 'default_hooks.checkpoint.save_optimizer': True},
    ),
    'semfpn_quickstart_scenes': dict(
        config='configs/downstream/mmseg/semfpn_quickstart_scenes.py',
        data='scenes',
        target='mmseg',
        metrics=segments,
        hours=0.03,
        disk_gb=0.05,
        cfg_options={'default_hooks.checkpoint.interval': 64, 'default_hooks.checkpoint.save_optimizer': True},
    ),
    # small sets of real photos
    'semfpn_vitt16_camvid': dict(config='configs/downstream/mmseg/semfpn_vitt16_small_camvid-360x480.py', **camvid),
    'mask-rcnn_vitt16_coco-small': dict(
        config='configs/downstream/mmdet/mask-rcnn_vitt16_small_coco-style.py', **coco_small
    ),
    'semfpn_vitt16-d6_camvid': {
        **camvid,
        'config': 'configs/downstream/mmseg/semfpn_vitt16-d6_real-small_camvid-256x256.py',
        'hours': 0.08,
    },
    'linear-probe_camvid': dict(
        kind='probe',
        data='camvid',
        metrics=segments,
        hours=0.02,
        disk_gb=0.01,
        arguments=[
            '--probe',
            'segmentation',
            '--classes',
            '11',
            '--num-train',
            '100',
            '--cells',
            '5000',
            '--train',
            '{data}/images/train',
            '{data}/labels/train',
            '--val',
            '{data}/images/test',
            '{data}/labels/test',
        ],
    ),
    'mask-rcnn_vitt16-d6_coco-small': {
        **coco_small,
        'config': 'configs/downstream/mmdet/mask-rcnn_vitt16-d6_real-small_coco-style.py',
        'hours': 0.1,
    },
    # COCO
    'mask-rcnn_vits16_1x_coco': dict(
        config='configs/downstream/mmdet/mask-rcnn_vits16_gtsa_fpn_1x_coco.py',
        hours=12 * epoch / 5,
        paper={
            'box AP': dict(dino=32.4, gtsa=35.8),
            'box AP50': dict(gtsa=57.8),
            'mask AP': dict(dino=30.8, gtsa=33.5),
            'mask AP50': dict(gtsa=54.7),
        },
        **coco,
    ),
    'cascade-mask-rcnn_vits16_1x_coco': dict(
        config='configs/downstream/mmdet/cascade-mask-rcnn_vits16_d3ssl_fpn_1x_coco.py',
        hours=12 * epoch / 4,
        paper={'box AP': dict(ibot=42.3, d3ssl=45.1), 'mask AP': dict(ibot=37.0, d3ssl=39.1)},
        **coco,
    ),
    'mask-rcnn_r50-c4_1x_coco': dict(
        config='configs/downstream/mmdet/mask-rcnn_r50_d3ssl_c4_1x_coco.py', hours=12 * epoch / 4, **coco
    ),
    'mask-rcnn_r50-c4_2x_coco': dict(
        config='configs/downstream/mmdet/mask-rcnn_r50_d3ssl_c4_2x_coco.py', hours=24 * epoch / 4, **coco
    ),
    'mask-rcnn_r50-fpn_1x_coco': dict(
        config='configs/downstream/mmdet/mask-rcnn_r50_d3ssl_fpn_1x_coco.py', hours=12 * epoch / 6, **coco
    ),
    'mask-rcnn_r50-fpn_2x_coco': dict(
        config='configs/downstream/mmdet/mask-rcnn_r50_d3ssl_fpn_2x_coco.py', hours=24 * epoch / 6, **coco
    ),
    # ADE20K
    'semfpn_vits16_40k_ade20k': dict(
        config='configs/downstream/mmseg/semfpn_vits16_gtsa_40k_ade20k-512x512.py',
        hours=40000 * 16 / 15 / 3600,
        paper={'mIoU': dict(dino=27.3, gtsa=30.6), 'mAcc': dict(gtsa=40.0)},
        **ade20k,
    ),
    'upernet_vits16_160k_ade20k': {
        **ade20k,
        'config': 'configs/downstream/mmseg/upernet_vits16_d3ssl_160k_ade20k-512x512.py',
        'target': 'mmpretrain',
        'hours': 160000 * 16 / 10 / 3600,
        'disk_gb': 1.5,
        'paper': {'mIoU': dict(ibot=39.9, d3ssl=41.6)},
    },
    'linear_vits16_40k_ade20k': {
        **ade20k,
        'config': 'configs/downstream/mmseg/linear_vits16_frozen_40k_ade20k-512x512.py',
        'target': 'mmpretrain',
        'hours': 40000 * 16 / 40 / 3600,
    },
    'fcn_r50_40k_ade20k': dict(
        config='configs/downstream/mmseg/fcn_r50_d3ssl_40k_ade20k-512x512.py', hours=40000 * 16 / 12 / 3600, **ade20k
    ),
    # PASCAL VOC and Cityscapes
    'faster-rcnn_r50-c4_24k_voc0712': dict(
        config='configs/downstream/mmdet/faster-rcnn_r50_d3ssl_c4_24k_voc0712.py',
        data='voc',
        target='mmdet',
        metrics={'AP': 'pascal_voc/mAP', 'AP50': 'pascal_voc/AP50', 'AP75': 'pascal_voc/AP75'},
        scale=100,
        gpus=8,
        hours=24000 * 16 / 4 / 3600,
        disk_gb=0.5,
    ),
    'fcn_r50_30k_voc12aug': dict(
        config='configs/downstream/mmseg/fcn_r50_d3ssl_30k_voc12aug-513x513.py',
        data='voc',
        target='mmseg',
        metrics=segments,
        gpus=8,
        hours=30000 * 16 / 10 / 3600,
        disk_gb=0.6,
    ),
    'linear_vits16_40k_voc12aug': dict(
        config='configs/downstream/mmseg/linear_vits16_frozen_40k_voc12aug-512x512.py',
        data='voc',
        target='mmpretrain',
        metrics=segments,
        gpus=8,
        hours=40000 * 16 / 40 / 3600,
        disk_gb=0.3,
    ),
    'fcn_r50_90k_cityscapes': dict(
        config='configs/downstream/mmseg/fcn_r50_d3ssl_90k_cityscapes-769x769.py',
        data='cityscapes',
        target='mmseg',
        metrics=segments,
        gpus=8,
        hours=90000 * 16 / 5 / 3600,
        disk_gb=0.6,
    ),
    'semfpn_vits16_40k_cityscapes': dict(
        config='configs/downstream/mmseg/semfpn_vits16_gtsa_40k_cityscapes-768x768.py',
        data='cityscapes',
        target='mmseg',
        metrics=segments,
        gpus=8,
        hours=40000 * 16 / 7 / 3600,
        disk_gb=0.7,
    ),
    # classification
    'finetune_vits16_300e_inat19': dict(
        config='configs/downstream/mmpretrain/finetune_vits16_gtsa_300e_inat19-224.py',
        data='inat19',
        target='mmseg',
        metrics=accuracies,
        gpus=8,
        hours=300 * 265213 / 450 / 3600,
        disk_gb=0.6,
        paper={'top-1': dict(dino=54.8, gtsa=59.7), 'top-5': dict(gtsa=85.7)},
    ),
    'linear_vits16_100e_inat19': dict(
        config='configs/downstream/mmpretrain/linear_vits16_frozen_100e_inat19-224.py',
        data='inat19',
        target='mmpretrain',
        metrics=accuracies,
        gpus=8,
        hours=100 * 265213 / 1500 / 3600,
        disk_gb=0.3,
    ),
}
