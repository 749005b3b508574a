import subprocess
import sys

import pytest

REGISTER = """
from mmengine.registry import DefaultScope
from mmssl_geo.registry import HOOKS, MODELS
from mmssl_geo.utils import register_all_modules
register_all_modules(init_default_scope={init_default_scope})
scope = DefaultScope.get_current_instance()
print(scope and scope.scope_name, 'GTSA' in MODELS.module_dict, 'StepSeedHook' in HOOKS.module_dict)
"""


def python(code):
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', code], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize('init_default_scope, scope', [(True, 'mmssl_geo'), (False, 'None')])
def test_all_modules_are_registered(init_default_scope, scope):
    assert python(REGISTER.format(init_default_scope=init_default_scope)) == f'{scope} True True\n'


def test_the_notice_of_onedl_is_hidden_and_nothing_else():
    code = """
import mmssl_geo.datasets  # first, as in a spawned worker of a data loader
import mmdet.datasets, mmpretrain.datasets, mmseg.datasets
from mmengine.logging import print_log
print_log('Could not import something else')
"""
    assert python(code) == 'Could not import something else\n'
