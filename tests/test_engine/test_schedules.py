import numpy as np
import pytest

from mmssl_geo.engine.schedules import shortened_warmup, warmup_cosine


def by_the_paper(total, peak, end, warmup):
    """The published schedule, written as arrays: linspace from 0, then half a cosine."""
    rest = np.arange(total - warmup)
    cosine = end + 0.5 * (peak - end) * (1 + np.cos(np.pi * rest / len(rest)))
    return np.concatenate([np.linspace(0, peak, warmup), cosine])


@pytest.mark.parametrize(
    'total,warmup,peak,end',
    [(1000, 100, 1e-3, 1e-6), (37, 0, 0.04, 0.4), (50, 0, 0.996, 1.0), (10, 1, 1.0, 0.0), (12, 2, 1.0, 0.0)],
)
def test_every_step_against_the_arrays(total, warmup, peak, end):
    values = [warmup_cosine(step, total, peak, end, warmup) for step in range(total)]
    np.testing.assert_allclose(values, by_the_paper(total, peak, end, warmup), rtol=1e-12, atol=1e-15)


def test_a_constant_is_a_cosine_between_equal_ends():
    assert {warmup_cosine(step, 20, 5e-4, 5e-4) for step in range(20)} == {5e-4}


def test_warmup_is_shortened_only_if_it_fills_the_run():
    assert shortened_warmup(10, 100) == 10
    assert shortened_warmup(10, 10) == 1
    assert shortened_warmup(10, 5) == 0.5
