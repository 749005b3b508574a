"""Measures and probes of frozen features, defined in `docs/measures.md`.

`geometry`, `regions` and `probes` each hold one kind of evaluation; the modules beside them hold what they share.
"""

from .collapse import effective_rank, feature_spread
from .frozen_net import frozen_copy, run_frozen
from .knn import knn_classify
from .linear_probe import LinearProbe, fit_logistic, fit_ridge
from .results import Measure, MeasureResult, markdown_table, split_images

__all__ = [
    'LinearProbe',
    'Measure',
    'MeasureResult',
    'effective_rank',
    'feature_spread',
    'fit_logistic',
    'fit_ridge',
    'frozen_copy',
    'knn_classify',
    'markdown_table',
    'run_frozen',
    'split_images',
]
