import pytest

from mmssl_geo.utils.versions import MINIMUM, check_versions, installed_version


def test_everything_new_enough_passes():
    check_versions(MINIMUM, versions=dict(MINIMUM, torch='2.12.0+cu130'))


def test_every_fault_is_named():
    versions = dict(MINIMUM, mmcv=None, mmengine='0.9.1', torch='2.0.1')
    with pytest.raises(ImportError) as fault:
        check_versions(MINIMUM, versions=versions)
    for part in ('mmcv is missing (need >= 2.1.0)', 'mmengine 0.9.1 is too old', 'torch 2.0.1 is too old'):
        assert part in str(fault.value)
    assert 'mmdet' not in str(fault.value)


def test_installed_versions():
    assert installed_version('torch') and installed_version('surely_not_there') is None
