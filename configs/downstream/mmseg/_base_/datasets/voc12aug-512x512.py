# PASCAL VOC 2012 segmentation (21 classes) with the extra annotations of SBD: trained on train and aug (10582 images),
# evaluated on val. DATA_ROOT in the environment names the folder `VOCdevkit` with VOC2012/; mmseg's
# tools/dataset_converters/voc_aug.py makes SegmentationClassAug/ and ImageSets/Segmentation/aug.txt.
_base_ = 'loaders.py'

data_root = '{{$DATA_ROOT:data/VOCdevkit}}'
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomResize', scale=(2048, 512), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=(512, 512), cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(2048, 512), keep_ratio=True),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(type='Resize', scale=(int(2048 * ratio), int(512 * ratio)), keep_ratio=True)
                for ratio in (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
            ],
            [dict(type='RandomFlip', prob=0.0), dict(type='RandomFlip', prob=1.0, direction='horizontal')],
            [dict(type='LoadAnnotations')],
            [dict(type='PackSegInputs')],
        ],
    ),
]

train_dataloader = dict(
    dataset=dict(
        type='ConcatDataset',
        datasets=[
            dict(
                type='PascalVOCDataset',
                data_root=data_root + '/VOC2012',
                ann_file=f'ImageSets/Segmentation/{split}.txt',
                data_prefix=dict(img_path='JPEGImages', seg_map_path=labels),
                pipeline=train_pipeline,
            )
            for split, labels in (('train', 'SegmentationClass'), ('aug', 'SegmentationClassAug'))
        ],
    )
)
val_dataloader = dict(
    dataset=dict(
        type='PascalVOCDataset',
        data_root=data_root + '/VOC2012',
        ann_file='ImageSets/Segmentation/val.txt',
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
        pipeline=test_pipeline,
    )
)
test_dataloader = val_dataloader
