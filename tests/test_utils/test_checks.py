import math

import pytest

from mmssl_geo.utils.checks import check_counts, check_fractions, check_keys, check_numbers
from mmssl_geo.utils.errors import UserError


@pytest.mark.parametrize('value', [0, -1, 1.0, True, '1', None])
def test_counts(value):
    check_counts('Net', width=1)
    with pytest.raises(UserError, match=f'^Net: width must be a positive whole number, got {value!r}$'):
        check_counts('Net', depth=3, width=value)


def test_counts_from():
    check_counts('Net', at_least=0, epochs=0)
    with pytest.raises(UserError, match='epochs must be a whole number, not negative, got -1'):
        check_counts('Net', at_least=0, epochs=-1)
    with pytest.raises(UserError, match='epochs must be a whole number, at least 2, got 1'):
        check_counts('Net', at_least=2, epochs=1)


@pytest.mark.parametrize('value', [-0.1, 1.1, math.nan, math.inf, 'x', True, None])
def test_fractions(value):
    check_fractions('Net', low=0, high=1)
    with pytest.raises(UserError, match='Net: rate must be a number, at least 0, at most 1, got '):
        check_fractions('Net', rate=value)


def test_numbers():
    check_numbers('Net', above=0, eps=1e-30)
    with pytest.raises(UserError, match='Net: eps must be a number, above 0, got 0'):
        check_numbers('Net', above=0, eps=0)
    with pytest.raises(UserError, match='Net: eps must be a number, got nan'):
        check_numbers('Net', eps=math.nan)


def test_keys():
    check_keys('Net', 'rate', dict(base=1), ['base'], ['batch'])
    with pytest.raises(UserError, match='Net: rate has the unknown key bas; its keys are base, batch'):
        check_keys('Net', 'rate', dict(base=1, bas=1), ['base'], ['batch'])
    with pytest.raises(UserError, match='Net: rate lacks the key base'):
        check_keys('Net', 'rate', dict(batch=1), ['base'], ['batch'])
    with pytest.raises(UserError, match='Net: rate must be a dict with the keys base, batch, got 3'):
        check_keys('Net', 'rate', 3, ['base'], ['batch'])
