import pytest

from mmssl_geo.utils import versions
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


@pytest.mark.parametrize('version, is_blamed', [('5.1.0', True), ('4.57.6', False), (None, False)])
def test_transformers_5_is_named_if_a_package_cannot_be_imported_beside_it(monkeypatch, version, is_blamed):
    def fail(name):
        raise ImportError('cannot import name apply_chunking_to_forward')

    monkeypatch.setattr(versions.importlib, 'import_module', fail)
    monkeypatch.setattr(versions, '_transformers_version', lambda: version)
    message = (
        'mmpretrain cannot be imported beside transformers 5.1.0.*transformers<5' if is_blamed else 'apply_chunking'
    )
    with pytest.raises(ImportError, match=message):
        versions.check_versions(['mmpretrain'])
