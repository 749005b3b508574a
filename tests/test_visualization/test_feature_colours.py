import numpy as np
import pytest
import torch

from mmssl_geo.visualization import pca_colours


def test_like_features_have_like_colours_in_all_maps_and_cells_are_repeated():
    prototypes = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([[[0, 1], [2, 3]], [[3, 3], [0, 2]]])
    colours = pca_colours(prototypes[labels].permute(0, 3, 1, 2), (6, 4))
    assert colours.shape == (2, 6, 4, 3) and colours.dtype == np.uint8
    cells = colours[:, ::3, ::2]
    assert np.array_equal(colours, cells.repeat(3, axis=1).repeat(2, axis=2))
    by_label = {
        label: {tuple(cells[tuple(place)]) for place in np.argwhere(labels.numpy() == label)} for label in range(4)
    }
    assert all(len(found) == 1 for found in by_label.values())
    assert len(set.union(*by_label.values())) == 4


def test_channels_follow_the_variance_and_are_scaled_robustly():
    rng = np.random.default_rng(0)
    values = rng.permutation(1000).astype(np.float64)
    values[0] = 1e6  # an outlier must not darken everything else
    maps = torch.zeros(1, 5, 20, 50, dtype=torch.float64)
    maps[0, 3] = torch.from_numpy(values).view(20, 50)
    red, green, blue = np.moveaxis(pca_colours(maps, (20, 50))[0].astype(float), -1, 0)
    low, high = np.percentile(values, (2, 98))
    assert np.allclose(red.ravel(), np.rint(np.clip((values - low) / (high - low), 0, 1) * 255), atol=1)
    assert (green == 128).all() and (blue == 128).all()  # no second direction: mid grey


def test_fewer_than_three_channels():
    colours = pca_colours(torch.randn(1, 2, 4, 4, generator=torch.Generator().manual_seed(1)), (4, 4))
    assert (colours[..., 2] == 128).all() and colours[..., 0].std() > 0 and colours[..., 1].std() > 0


@pytest.mark.parametrize(
    'maps, message',
    [(torch.zeros(2, 3, 4), r'must be \(N, C, h, w\)'), (torch.full((1, 3, 2, 2), torch.nan), 'not finite')],
)
def test_wrong_maps_are_refused(maps, message):
    with pytest.raises(ValueError, match=message):
        pca_colours(maps, (4, 4))
