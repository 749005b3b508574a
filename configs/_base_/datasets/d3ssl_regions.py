# D3SSL's views: x1 (almost the whole image) and x2 (a crop of it) with 4 regions each, and x1_cut, x2_small and x3,
# which derive from them. The data preprocessor takes the background of x3 from another image of the batch.
# The workers apply the photometric augmentation before the cut-outs, so that cut-outs have the mean colour. Each view
# draws its own; x1 and x1_cut use the augmentation of BYOL's first view.
# Region sizes are relative to the view: for other view sizes, change only the two `size` values.
# The cut-out shares 0.3 to 0.45 and 0.2 are read from the paper's figure; x3 uses that of x2_small (our choice).
_base_ = 'images.py'
train_dataloader = dict(
    dataset=dict(
        pipeline=dict(
            regions=dict(type='mmssl_geo.GridRegions'),
            views=dict(
                type='mmssl_geo.RegionViews', size=224, num_regions=4, x1_scale=(0.9, 1.0), crop_scale=(0.6, 1.0)
            ),
            x1_cut=dict(
                type='mmssl_geo.DeriveView',
                source='x1',
                name='x1_cut',
                steps=dict(
                    photometric=dict(type='mmssl_geo.PhotometricAugmentation', blur_prob=1.0, solarise_prob=0.0),
                    cutout=dict(type='mmssl_geo.RegionCutout', share=(0.3, 0.45)),
                    context=dict(type='mmssl_geo.ContextCrop', scale=(0.3, 0.8)),
                ),
            ),
            x2_small=dict(
                type='mmssl_geo.DeriveView',
                source='x2',
                name='x2_small',
                size=112,
                steps=dict(
                    photometric=dict(type='mmssl_geo.PhotometricAugmentation', blur_prob=0.1, solarise_prob=0.2),
                    cutout=dict(type='mmssl_geo.RegionCutout', share=(0.2, 0.2)),
                    context=dict(type='mmssl_geo.ContextCrop', scale=(0.3, 0.8)),
                ),
            ),
            x3=dict(
                type='mmssl_geo.DeriveView',
                source='x2',
                name='x3',
                steps=dict(
                    photometric=dict(type='mmssl_geo.PhotometricAugmentation', blur_prob=0.1, solarise_prob=0.2),
                    cutout=dict(type='mmssl_geo.RegionCutout', share=(0.2, 0.2)),
                    shift=dict(type='mmssl_geo.ForegroundShift'),
                ),
            ),
            x1=dict(
                type='mmssl_geo.AugmentView',
                view='x1',
                steps=dict(
                    photometric=dict(type='mmssl_geo.PhotometricAugmentation', blur_prob=1.0, solarise_prob=0.0)
                ),
            ),
            x2=dict(
                type='mmssl_geo.AugmentView',
                view='x2',
                steps=dict(
                    photometric=dict(type='mmssl_geo.PhotometricAugmentation', blur_prob=0.1, solarise_prob=0.2)
                ),
            ),
            pack=dict(type='mmssl_geo.PackRegionViews'),
        )
    )
)
