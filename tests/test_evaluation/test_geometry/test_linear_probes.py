import math

import pytest
import torch

from mmssl_geo.evaluation import fit_logistic, fit_ridge, split_images
from mmssl_geo.evaluation.geometry import extract_features, make_views, position_probe, rotation_probe
from mmssl_geo.geometry import cell_centres, rotate_maps
from tests.support.features import CELLS, SIZE, constant, content, image_code, noise_image, position_code

TRAIN, TEST = split_images(12, seed=0)


def squares_of(function):
    return extract_features(function, make_views([noise_image(n) for n in range(12)], SIZE)).rotated_squares


def test_invariant_features_predict_rotation_exactly_at_chance():
    """All four rotations of an image get the same prediction, so one of four is correct."""
    assert rotation_probe(squares_of(image_code), TRAIN, TEST) == (0.25, 0.25)


def test_random_features_predict_rotation_at_chance_within_sampling_error():
    maps = torch.randn(4, 600, 8, 2, 2)
    accuracy, chance = rotation_probe(maps, *split_images(600, 0))
    assert abs(accuracy - chance) < 4 * math.sqrt(0.25 * 0.75 / 1200)


def test_features_that_encode_the_rotation_predict_every_rotation():
    maps = torch.randn(4, 40, 6, 3, 3)
    maps[:, :, 2:] += 5 * torch.eye(4)[[2, 0, 3, 1]].view(4, 1, 4, 1, 1)
    train, test = split_images(40, 1)
    assert rotation_probe(maps, train, test)[0] == 1


def test_the_rotation_probe_is_tested_on_unseen_images():
    """With as many channels as samples, the rotations of training images are memorised, others are not."""
    maps = torch.randn(4, 40, 200, 1, 1)
    train, test = split_images(40, 0)
    assert rotation_probe(maps, train, train)[0] > 0.9
    assert rotation_probe(maps, train, test)[0] < 0.45


def test_coordinates_as_features_give_the_position():
    places = cell_centres(CELLS, CELLS).T.view(1, 2, CELLS, CELLS).repeat(12, 1, 1, 1) * 7 - 30
    error, chance = position_probe(places, TRAIN, TEST)
    assert error == pytest.approx(chance * 0.01 / 1.01, rel=1e-6)  # what the ridge's shrinking costs
    error, _ = position_probe(rotate_maps(places, 1), TRAIN, TEST)
    assert error < 0.01 * chance


def test_positions_are_row_major():
    places = cell_centres(3, 5).T.view(1, 2, 3, 5).repeat(4, 1, 1, 1)
    assert position_probe(places, torch.tensor([0, 1]), torch.tensor([2, 3]))[0] < 0.01


def test_position_codes_give_the_position():
    error, chance = position_probe(squares_of(position_code)[0], TRAIN, TEST)
    assert error < 0.1 * chance


def test_position_error_by_hand():
    """Two cells, at x = 1/4 and 3/4, swapped in the test image: each gets the other's shrunk prediction."""
    maps = torch.tensor([[-1.0, 1.0], [-1.0, 1.0], [1.0, -1.0]]).view(3, 1, 1, 2)
    error, chance = position_probe(maps, torch.tensor([0, 1]), torch.tensor([2]))
    assert chance == pytest.approx(0.25)
    assert error == pytest.approx(0.25 + 0.25 / 1.01)


@pytest.mark.parametrize('function', [constant, image_code])
def test_features_without_positions_are_at_chance(function):
    squares = squares_of(function)
    error, chance = position_probe(squares[0], TRAIN, TEST)
    assert error == pytest.approx(chance, rel=1e-6)
    assert chance == pytest.approx(0.3826, abs=0.003)  # of a continuous square: (sqrt(2) + asinh(1)) / 6
    assert rotation_probe(squares, TRAIN, TEST)[0] == 0.25


def test_many_channels_of_noise_do_not_push_the_error_above_chance():
    """With the lightest penalty, the one that clean features get, they would."""
    maps = torch.randn(12, 300, 6, 6)
    error, chance = position_probe(maps, TRAIN, TEST)
    assert error < 1.05 * chance
    cells = maps.flatten(2).transpose(1, 2)
    places = (cell_centres(6, 6) / 6).repeat(6, 1)
    predictions = fit_ridge(cells[TRAIN].flatten(0, 1), places, 0.01)(cells[TEST].flatten(0, 1))
    assert (predictions - places).norm(dim=-1).mean() > 1.3 * chance


def test_the_penalty_is_selected_on_training_images_only(monkeypatch):
    """Each half of the training images has every other one; test images are not used."""
    fitted = []

    def fit(features, targets, ridge):
        fitted.append((sorted(set(features[:, 0].tolist())), ridge))
        return fit_ridge(features, targets, ridge)

    monkeypatch.setattr('mmssl_geo.evaluation.geometry.linear_probes.fit_ridge', fit)
    maps = torch.arange(8.0).view(8, 1, 1, 1).repeat(1, 3, 2, 2)
    maps[:, 1:] = torch.randn(8, 2, 2, 2)
    position_probe(maps, torch.tensor([0, 2, 3, 7]), torch.tensor([1, 4, 5, 6]))
    assert [images for images, _ in fitted[:-1]] == [[0, 3]] * 5 and fitted[-1][0] == [0, 2, 3, 7]
    assert [ridge for _, ridge in fitted[:-1]] == [0.01, 0.1, 1, 10, 100]


def test_the_rotation_probe_selects_its_penalty(monkeypatch):
    fitted = []

    def fit(features, labels, num_classes, decay):
        fitted.append((len(features), decay))
        return fit_logistic(features, labels, num_classes, decay)

    monkeypatch.setattr('mmssl_geo.evaluation.geometry.linear_probes.fit_logistic', fit)
    maps = torch.randn(4, 20, 60, 1, 1)
    rotation_probe(maps, *split_images(20, 0))
    # noise: the heaviest penalty errs least on the other half
    assert fitted == [(20, 0.01), (20, 0.1), (20, 1), (20, 10), (20, 100), (40, 100)]


def test_noise_encodes_no_position():
    error, chance = position_probe(squares_of(content)[0], TRAIN, TEST)
    assert error == pytest.approx(chance, rel=0.03)
