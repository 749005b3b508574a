import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.patches import FancyArrowPatch

from mmssl_geo.datasets import ContextCrop, DeriveView, ForegroundShift, RegionCutout, RegionViews
from mmssl_geo.visualization import region_figure
from mmssl_geo.visualization.region_figure import region_colour

CUTOUT = RegionCutout()


@pytest.fixture(scope='module')
def sample():
    image = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    boxes = np.array([(20, 15, 50, 40), (40, 20, 70, 45)], dtype=np.float32)
    results = dict(img=image, regions=boxes, seed=0, epoch=0, sample_idx=0, img_path='a.jpg')
    steps = (
        RegionViews(size=64, num_regions=2, flip_prob=0.0, x1_scale=(1, 1), crop_scale=(1, 1)),
        DeriveView('x1', 'x1_cut', steps=[CUTOUT, ContextCrop()]),
        DeriveView('x2', 'x3', steps=[CUTOUT, ForegroundShift()]),
    )
    for step in steps:
        results = step(results)
    return results


def texts(figure):
    return [text.get_text() for text in figure.texts]


def panel(figure, name):
    """The axes of a view: source first, then the views in order."""
    return figure.axes[['source', 'x1', 'x2', 'x1_cut', 'x3'].index(name)]


def pixels(axes):
    return np.asarray(axes.images[0].get_array())


def test_every_view_is_shown_with_its_properties(sample):
    figure = region_figure(sample, 'a title')
    figure.canvas.draw()
    assert figure.get_figwidth() * figure.dpi == 1500 and len(figure.axes) == 5
    shown = texts(figure)
    assert {'a title', 'source, 90 × 60 px', 'x1', 'x2', 'x1_cut', 'x3', '2 proposed regions, 2 selected'} <= set(shown)
    dx, dy = sample['views']['x3']['shift']
    assert f'64 × 64 px, shift ({dx}, {dy}) px' in shown
    shares = [
        f'{number + 1}: {share:.2f}'
        for name in ('x1_cut', 'x3')
        for number, share in enumerate(sample['views'][name]['region_shares'])
    ]
    assert [text for text in shown if text[:3] in ('1: ', '2: ')] == shares
    for name in ('x1', 'x2', 'x1_cut', 'x3'):
        assert (pixels(panel(figure, name)) == sample['views'][name]['img']).all()


def test_regions_have_one_colour_and_their_own_place(sample):
    figure = region_figure(sample)
    for name in ('x1', 'x3'):
        drawn = {
            patch.get_bbox().bounds: patch.get_edgecolor()
            for patch in panel(figure, name).patches
            if hasattr(patch, 'get_bbox') and patch.get_linestyle() == '-'
        }
        for number, (x1, y1, x2, y2) in enumerate(sample['views'][name]['regions'].tolist()):
            box = next(bounds for bounds in drawn if bounds == pytest.approx((x1, y1, x2 - x1, y2 - y1)))
            assert drawn[box][:3] == pytest.approx([int(region_colour(number)[i : i + 2], 16) / 255 for i in (1, 3, 5)])


def test_arrows_lead_from_the_old_place_to_the_new(sample):
    views = sample['views']
    assert any(views['x3']['shift'])
    arrows = [patch for patch in panel(region_figure(sample), 'x3').patches if isinstance(patch, FancyArrowPatch)]
    assert len(arrows) == 2
    for arrow, before, after in zip(arrows, views['x2']['regions'], views['x3']['regions'], strict=True):
        start, end = arrow._posA_posB
        assert start == pytest.approx((before[:2] + before[2:]) / 2)
        assert end == pytest.approx((after[:2] + after[2:]) / 2)


def test_the_outline_follows_the_holes(sample):
    holes = sample['views']['x1_cut']['holes']
    outline = next(
        artist for artist in panel(region_figure(sample), 'x1_cut').collections if isinstance(artist, LineCollection)
    )
    padded = np.pad(holes, 1)
    for start, end in outline.get_segments():
        assert np.abs(end - start).sum() == 1
        column, row = (np.minimum(start, end) + 1).astype(int)  # of the padded mask
        across = (row, column - 1) if start[0] == end[0] else (row - 1, column)
        assert padded[row, column] != padded[across]
    borders = [np.diff(padded.astype(int), axis=axis).astype(bool).sum() for axis in (0, 1)]
    assert len(outline.get_segments()) == sum(borders) > 0


def test_background_shows_behind_the_foreground_only(sample):
    background = np.full((64, 64, 3), 200, dtype=np.uint8)
    figure = region_figure(sample, background=background)
    view, shown = sample['views']['x3'], pixels(panel(figure, 'x3'))
    assert (shown[~view['foreground']] == 200).all()
    assert (shown[view['foreground']] == view['img'][view['foreground']]).all()
    assert (pixels(panel(figure, 'x1_cut')) == sample['views']['x1_cut']['img']).all()


def test_fallback_is_stated(sample):
    assert any('boxes of a random grid' in text for text in texts(region_figure({**sample, 'regions_fallback': True})))
    assert not any('boxes of a random grid' in text for text in texts(region_figure(sample)))
