import importlib

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


def fail_in(module):
    """Raises an error in a function of a module of that name."""
    code = "def fail():\n    raise TypeError('NoneType takes no arguments')"
    names = {'__name__': module}
    exec(code, names)
    names['fail']()


@pytest.mark.parametrize(
    'version, module, is_blamed',
    [
        ('5.1.0', 'mmdet.models', True),
        ('4.57.6', 'transformers.utils', True),
        ('4.57.6', 'mmdet.models', False),
        (None, 'mmdet.models', False),
    ],
)
@pytest.mark.parametrize('package', ['mmpretrain', 'mmdet', 'mmseg'])
def test_transformers_is_named_if_models_cannot_be_imported_beside_it(monkeypatch, package, version, module, is_blamed):
    import_module = importlib.import_module
    monkeypatch.setattr(
        versions.importlib,
        'import_module',
        lambda name: fail_in(module) if name == f'{package}.models' else import_module(name),
    )
    monkeypatch.setattr(versions, '_transformers_version', lambda: version)
    blame = (ImportError, f'{package}.models cannot be imported beside transformers {version}.*transformers<4.49')
    error, message = blame if is_blamed else (TypeError, 'NoneType')
    with pytest.raises(error, match=message):
        check_versions([package])


def test_transformers_is_named_if_it_breaks_the_import_of_torchvision(monkeypatch):
    monkeypatch.setattr(versions.importlib, 'import_module', lambda _: fail_in('transformers.utils'))
    monkeypatch.setattr(versions, '_transformers_version', lambda: '4.57.6')
    with pytest.raises(ImportError, match=r'^torchvision cannot be imported beside transformers 4\.57\.6'):
        check_versions(['torchvision'])
