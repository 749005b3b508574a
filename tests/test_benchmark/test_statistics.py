import pytest

from mmssl_geo.benchmark.report.statistics import paired_difference, summarise


def test_mean_and_sample_deviation():
    # deviations -3, -1, 4 of the mean 5: (9 + 1 + 16) / 2 = 13
    assert summarise([2.0, 4.0, 9.0]) == (3, 5.0, pytest.approx(13**0.5))
    assert summarise([7.0]) == (1, 7.0, None)


def test_interval_of_paired_differences():
    # differences 1, 2, 6: mean 3, variance (4 + 1 + 9) / 2 = 7; t(0.975, 2) = 4.302653
    found = paired_difference({0: 11.0, 1: 22.0, 2: 36.0}, {0: 10.0, 1: 20.0, 2: 30.0})
    half = 4.302653 * (7 / 3) ** 0.5
    assert found == (3, 3.0, pytest.approx(3 - half, abs=1e-5), pytest.approx(3 + half, abs=1e-5))


def test_pairs_are_of_the_same_seed():
    found = paired_difference({0: 1.0, 3: 5.0, 7: 9.0, 8: 1.0}, {7: 8.0, 3: 5.0, 5: 100.0, 8: -1.0})
    # differences 0, 1 and 2: mean and deviation 1; t(0.975, 2) = 4.302653
    assert found[:2] == (3, 1.0)
    assert found.high - found.mean == pytest.approx(4.302653 / 3**0.5, abs=1e-5)


@pytest.mark.parametrize('pairs, has_interval', [(1, False), (2, False), (3, True)])
def test_fewer_than_three_pairs_have_no_interval(pairs, has_interval):
    found = paired_difference({seed: 2.0 * seed for seed in range(pairs)}, dict.fromkeys(range(pairs), 1.0))
    assert (found.low is not None, found.high is not None) == (has_interval, has_interval)
    assert found[:2] == (pairs, pairs - 2.0)


def test_without_common_seeds_there_is_no_difference():
    assert paired_difference({0: 3.0}, {1: 1.0}) is None
