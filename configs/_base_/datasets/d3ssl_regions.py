# Views of D3SSL: x1 (almost the whole image) and x2 (a crop of it) with 4 regions each; made of them, x1_cut, x2_small
# and x3 (its background comes from another image of the batch, in the data preprocessor). Photometrics come before what
# is cut out, so that this has the colour of the mean, hence in the workers; every view has its own draw, x1 and x1_cut
# of BYOL's first kind.
# Regions are bounded relative to the view: for other sizes change the two `size` alone.
# From the figure: the shares 0.3 to 0.45 and 0.2 (x3's as x2_small's: our choice).
_base_ = 'images.py'
train_dataloader = dict(
    dataset=dict(
        pipeline=dict(
            regions=dict(type='mmssl_geo.GridRegions'),
            views=dict(
                type='mmssl_geo.RegionViews', size=224, num_regions=4, x1_scale=(0.9, 1.0), crop_scale=(0.6, 1.0)),
            x1_cut=dict(
                type='mmssl_geo.DeriveView',
                source='x1',
                name='x1_cut',
                steps=dict(
                    photometrics=dict(type='mmssl_geo.ViewPhotometrics', blur_prob=1.0, solarise_prob=0.),
                    cutout=dict(type='mmssl_geo.RegionCutout', share=(0.3, 0.45)),
                    context=dict(type='mmssl_geo.ContextCrop', scale=(0.3, 0.8)))),
            x2_small=dict(
                type='mmssl_geo.DeriveView',
                source='x2',
                name='x2_small',
                size=112,
                steps=dict(
                    photometrics=dict(type='mmssl_geo.ViewPhotometrics', blur_prob=0.1, solarise_prob=0.2),
                    cutout=dict(type='mmssl_geo.RegionCutout', share=(0.2, 0.2)),
                    context=dict(type='mmssl_geo.ContextCrop', scale=(0.3, 0.8)))),
            x3=dict(
                type='mmssl_geo.DeriveView',
                source='x2',
                name='x3',
                steps=dict(
                    photometrics=dict(type='mmssl_geo.ViewPhotometrics', blur_prob=0.1, solarise_prob=0.2),
                    cutout=dict(type='mmssl_geo.RegionCutout', share=(0.2, 0.2)),
                    shift=dict(type='mmssl_geo.ForegroundShift'))),
            x1=dict(
                type='mmssl_geo.DeriveView',
                source='x1',
                name='x1',
                steps=dict(photometrics=dict(type='mmssl_geo.ViewPhotometrics', blur_prob=1.0, solarise_prob=0.))),
            x2=dict(
                type='mmssl_geo.DeriveView',
                source='x2',
                name='x2',
                steps=dict(photometrics=dict(type='mmssl_geo.ViewPhotometrics', blur_prob=0.1, solarise_prob=0.2))),
            pack=dict(type='mmssl_geo.PackRegionViews'))))
