import numpy as np
import pytest
from matplotlib.colors import to_rgb

from mmssl_geo.evaluation import MeasureResult
from mmssl_geo.evaluation.geometry import GEOMETRY_MEASURES
from mmssl_geo.visualization.drawing import PALETTE
from mmssl_geo.visualization.measure_figures import geometry_figure


def rows(num):
    return [
        (
            f'net {number}',
            {
                name: MeasureResult(0.1 * (number + 1) + 0.01 * place, 0.02, 0.05 + 0.01 * place)
                for place, name in enumerate(GEOMETRY_MEASURES)
            },
        )
        for number in range(num)
    ]


def bars(axes):
    """`(left edge, height, colour)` of the bars."""
    return [(patch.get_x(), patch.get_height(), patch.get_facecolor()[:3]) for patch in axes.patches]


def test_every_measure_has_its_bars_in_order_of_the_nets():
    figure = geometry_figure(rows(3), 'title')
    panels = figure.axes
    assert [len(axes.patches) for axes in panels] == [3, 3, 6, 6]
    heights = [height for axes in panels for _, height, _ in bars(axes)]
    expected = [
        factor * (0.1 * (number + 1) + 0.01 * place)
        for place, factor in enumerate((100, 1, 1, 1, 100, 100))
        for number in range(3)
    ]
    assert heights == pytest.approx(expected)
    for axes in panels:
        lefts, _, colours = zip(*bars(axes), strict=True)
        assert list(lefts) == sorted(lefts)
        assert np.allclose(colours[:3], [to_rgb(colour) for colour in PALETTE[:3]])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ['net 0', 'net 1', 'net 2', 'chance']


def test_chance_and_deviation_are_drawn_at_every_bar():
    figure = geometry_figure(rows(2))
    rotation, equivariance = figure.axes[0], figure.axes[2]
    chances = [line.get_ydata()[0] for line in rotation.lines if line.get_linestyle() == '--']
    assert chances == pytest.approx([5, 5])
    chances = [line.get_ydata()[0] for line in equivariance.lines if line.get_linestyle() == '--']
    assert chances == pytest.approx([0.07, 0.07, 0.08, 0.08])
    ends = [collection.get_segments()[0][:, 1].tolist() for collection in rotation.collections]
    assert np.allclose(ends, [[8, 12], [18, 22]])


def test_texts_give_the_values_and_axes_start_at_zero():
    axes = geometry_figure(rows(2)).axes
    assert [text.get_text() for text in axes[0].texts if text.get_text()[0].isdigit()] == ['10.0', '20.0']
    assert [text.get_text() for text in axes[1].texts if text.get_text()[0].isdigit()] == ['0.110', '0.210']
    assert axes[0].get_ylim()[1] > 22 and axes[0].get_ylim()[0] == 0


@pytest.mark.parametrize('num', [1, 2, 9])
def test_the_picture_is_as_wide_for_any_number_of_nets(tmp_path, num):
    many = rows(num)
    many[-1] = ('a very long name of a checkpoint ' * 5, many[-1][1])
    figure = geometry_figure(many, 'title')
    figure.savefig(tmp_path / 'a.png')
    width, height = figure.get_size_inches() * figure.dpi
    assert width == 1500 and 440 <= height < 600
    legend = figure.legends[0].get_window_extent()
    assert legend.x0 > 0 and legend.x1 < width
    assert all(axes.get_tightbbox().y0 > legend.y1 - 5 and axes.get_tightbbox().x0 > 0 for axes in figure.axes)
    styles = {(patch.get_facecolor(), patch.get_hatch()) for patch in figure.axes[0].patches}
    assert len(styles) == num


def test_one_seed_has_no_deviation():
    one = [(name, {key: measured._replace(std=None) for key, measured in results.items()}) for name, results in rows(1)]
    assert not geometry_figure(one).axes[0].collections


def test_a_missing_measure_is_labelled():
    one = rows(2)
    del one[1][1]['rotation_accuracy']
    axes = geometry_figure(one).axes[0]
    assert sorted(text.get_text() for text in axes.texts)[:2] == ['10.0', 'higher: features encode the rotation']
    assert [text.get_text() for text in axes.texts].count('n/a') == 1 and len(axes.patches) == 1


def test_bars_far_below_chance_can_be_seen():
    low = [('net', {name: MeasureResult(0.004, 0.001, 1.0) for name in GEOMETRY_MEASURES})]
    axes = geometry_figure(low, 'title').axes[2]
    assert axes.get_ylim()[1] == pytest.approx(1.25 * 0.005)
    assert 'chance: 1, above' in [text.get_text() for text in axes.texts]
    high = [('net', {name: MeasureResult(0.3, 0.1, 1.0) for name in GEOMETRY_MEASURES})]
    near = geometry_figure(high, 'title').axes[2]
    assert near.get_ylim()[1] > 1 and not any('above' in text.get_text() for text in near.texts)
