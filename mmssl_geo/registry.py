"""Child registries of mmengine's registries, in the scope `mmssl_geo`.

Configs of any OpenMMLab package name the classes of this package as in `mmssl_geo.GTSA`. The package that defines a
class is imported when a name is first looked up.
"""

from .utils.setup_env import hide_onedl_notice
from .utils.versions import check_versions

check_versions(['mmengine', 'mmcv'])
hide_onedl_notice()

from mmengine import registry as _root  # noqa: E402
from mmengine.registry import Registry  # noqa: E402


def _child(name: str, *packages: str) -> Registry:
    """Returns a child of mmengine's registry `name`; `packages` are the sub-packages that register into it."""
    parent = getattr(_root, name)
    return Registry(
        parent.name, parent=parent, scope='mmssl_geo', locations=[f'mmssl_geo.{package}' for package in packages]
    )


DATASETS = _child('DATASETS', 'datasets')
DATA_SAMPLERS = _child('DATA_SAMPLERS', 'datasets')
TRANSFORMS = _child('TRANSFORMS', 'datasets')
MODELS = _child('MODELS', 'models')
HOOKS = _child('HOOKS', 'engine')
LOOPS = _child('LOOPS', 'engine')
RUNNERS = _child('RUNNERS', 'engine')
OPTIM_WRAPPERS = _child('OPTIM_WRAPPERS', 'engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child('OPTIM_WRAPPER_CONSTRUCTORS', 'engine')

# Empty: with `default_scope = 'mmssl_geo'`, mmengine looks for these registries and warns if one is missing.
OPTIMIZERS = _child('OPTIMIZERS')
WEIGHT_INITIALIZERS = _child('WEIGHT_INITIALIZERS')
MODEL_WRAPPERS = _child('MODEL_WRAPPERS')
PARAM_SCHEDULERS = _child('PARAM_SCHEDULERS')
METRICS = _child('METRICS')
EVALUATOR = _child('EVALUATOR')
VISUALIZERS = _child('VISUALIZERS')
VISBACKENDS = _child('VISBACKENDS')
LOG_PROCESSORS = _child('LOG_PROCESSORS')
RUNNER_CONSTRUCTORS = _child('RUNNER_CONSTRUCTORS')
FUNCTIONS = _child('FUNCTIONS')
TASK_UTILS = _child('TASK_UTILS')
