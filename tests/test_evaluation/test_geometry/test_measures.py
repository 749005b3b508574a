import statistics

import pytest
import torch

from mmssl_geo.evaluation import MeasureResult, markdown_table, split_images
from mmssl_geo.evaluation.geometry import (
    GEOMETRY_MEASURES,
    correspondence_precision,
    extract_features,
    make_views,
    measure_geometry,
    position_probe,
    rotation_probe,
)
from tests.support.features import SIZE, constant, content, coordinate_image, image_code, noise_image, position_code


def measured(function, images, **options):
    views = make_views(images, SIZE)
    return measure_geometry(extract_features(function, views), views, seeds=range(2), **options)


def means(results):
    return {name: result.mean for name, result in results.items()}


def test_content_that_moves_is_found_everywhere():
    results = means(measured(content, [coordinate_image(), coordinate_image(300, 200)] * 6))
    assert results['rotation_equivariance_error'] < 1e-5 and results['crop_equivariance_error'] < 0.02
    assert results['upright_precision'] > 0.99 and results['rotated_precision'] > 0.99


def test_position_codes_predict_positions_and_nothing_else():
    results = means(measured(position_code, [noise_image(n) for n in range(24)]))
    assert results['position_error'] < 0.03 and results['rotation_accuracy'] == 0.25
    assert results['rotation_equivariance_error'] == pytest.approx(1, abs=0.05)
    assert results['crop_equivariance_error'] == pytest.approx(1, abs=0.05)
    assert results['upright_precision'] == results['rotated_precision'] == 0


@pytest.mark.parametrize('function', [constant, image_code])
def test_features_without_geometry_are_at_chance_in_everything(function):
    for name, result in measured(function, [noise_image(n) for n in range(8)]).items():
        assert result.mean == pytest.approx(result.chance, rel=1e-5), name


def test_halves_are_disjoint_and_depend_on_the_seed():
    train, test = split_images(9, 1)
    assert sorted(torch.cat([train, test]).tolist()) == list(range(9)) and len(train) == 4
    assert torch.equal(train, split_images(9, 1)[0]) and not torch.equal(train, split_images(9, 2)[0])


def test_every_seed_has_its_split_and_the_table_their_mean_and_deviation():
    views = make_views([noise_image(n) for n in range(16)], 32)
    generator = torch.Generator().manual_seed(1)
    features = extract_features(
        lambda images: torch.randn(len(images), 6, 7, 7, generator=generator) + images[:, :1, :1, :1], views
    )
    reported = []
    results = measure_geometry(features, views, [3, 8, 5], 1.5, lambda *args: reported.append(args))
    assert list(results) == list(GEOMETRY_MEASURES) and reported == list(results.items())
    splits = [split_images(16, seed) for seed in (3, 8, 5)]

    def precision(train, test):
        centre = features.rotated_squares[0, train].mean(dim=(0, 2, 3))
        return correspondence_precision(
            features.first[test],
            features.second_rotated[test],
            views.crop_boxes_src[test],
            views.turns[test],
            centre,
            1.5,
        )

    for name, function in (
        ('rotation_accuracy', lambda *split: rotation_probe(features.rotated_squares, *split)),
        ('position_error', lambda *split: position_probe(features.rotated_squares[0], *split)),
        ('rotated_precision', precision),
    ):
        values, chances = zip(*(function(*split) for split in splits), strict=True)
        assert results[name] == pytest.approx(
            (statistics.mean(values), statistics.stdev(values), statistics.mean(chances)), rel=1e-5
        ), name
        assert results[name].std > 0
    alone = measure_geometry(features, views, [3])
    assert all(result.std is None for result in alone.values())
    assert '±' not in markdown_table([('net', alone)], GEOMETRY_MEASURES)


def test_table_by_hand():
    results = {name: MeasureResult(0.1234, 0.0056, 1.0) for name in GEOMETRY_MEASURES}
    lines = markdown_table([('a|b', results), ('c', results)], GEOMETRY_MEASURES).splitlines()
    cells = [cell.strip() for cell in lines[2].replace(r'\|', '&').strip('|').split('|')]
    assert cells == [
        'a&b',
        '12.3 ± 0.6 (100.0)',
        '0.123 ± 0.006 (1.000)',
        '0.123 ± 0.006 (1.000)',
        '0.123 ± 0.006 (1.000)',
        '12.3 ± 0.6 (100.0)',
        '12.3 ± 0.6 (100.0)',
    ]
    assert len(lines) == 4 and lines[0].count('|') == lines[1].count('|') == lines[3].count('|') == 8
    assert lines[3].startswith('| c | 12.3')
