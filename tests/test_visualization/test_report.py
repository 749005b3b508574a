import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from mmssl_geo.visualization import report_figure
from mmssl_geo.visualization.scalars import plot_collapse, plot_losses

STEPS = np.arange(4)
PICTURE = np.full((8, 8, 3), (255, 0, 255), dtype=np.uint8)
MAGENTA = (255, 0, 255)


def magenta_share(path):
    return float((np.asarray(Image.open(path).convert('RGB')) == MAGENTA).all(axis=-1).mean())


@pytest.mark.parametrize('num_views, num_photos, num_rows', [(0, 0, 1), (6, 2, 3), (7, 3, 5), (40, 40, 6)])
def test_picture_shows_as_many_images_as_it_has_room_for(tmp_path, num_views, num_photos, num_rows):
    out = tmp_path / 'new' / 'report.png'
    scalars = {'loss': (STEPS, STEPS * 1.0), 'loss_crop': (STEPS, -STEPS)}
    report_figure(
        out,
        scalars,
        [('view', PICTURE)] * num_views,
        [(PICTURE,) * 3] * num_photos,
        [('box AP', 1.24, 3.2), ('mIoU', None, 2.0)],
    )
    width, height = Image.open(out).size
    shown = min(num_views, 12) + 3 * min(num_photos, 6)
    assert width == 1500
    cell = 1500 * 0.965 / (6 + 5 * 0.05)  # six panels with gaps of 5 % of a panel
    assert magenta_share(out) * width * height == pytest.approx(shown * cell**2, rel=0.03)
    assert height == {(0, 0): 320}.get((num_views, num_photos), height) and height >= 200 * num_rows


def test_curves_show_what_was_logged():
    scalars = {
        'loss_crop': (STEPS, -STEPS),
        'loss': (STEPS, STEPS * 2.0),
        'lr': (STEPS, STEPS),
        'effective_rank': (STEPS, STEPS + 5.0),
    }
    figure = Figure()
    losses, collapse = figure.subplots(1, 2)
    plot_losses(losses, scalars)
    plot_collapse(collapse, scalars)
    assert {line.get_label(): line.get_ydata().tolist() for line in losses.lines} == {
        'crop': [0, -1, -2, -3],
        'total': [0, 2, 4, 6],
    }
    assert collapse.lines[0].get_ydata().tolist() == [5, 6, 7, 8] and collapse.get_ylim() == (0, pytest.approx(8.8))
    assert not figure.axes[2].lines  # no spread was logged
