"""`model-index.yml` is what OpenMMLab's tools read, and says nothing that the documents do not."""

import numbers

import pytest
from modelindex.load_model_index import load

from tests.support import ROOT


@pytest.fixture(scope='module')
def index():
    found = load(str(ROOT / 'model-index.yml'))
    found.build_models_with_collections()
    return found


def test_every_file_is_there(index):
    assert len(list(index.models)) > 0
    for collection in index.collections:
        assert (ROOT / collection.readme).is_file() and collection.paper['URL'].startswith('https://arxiv.org/abs/')
    for model in index.models:
        assert (ROOT / model.config).is_file()
        assert model.weights is None or model.weights.startswith('https://')


def test_names_refer_to_each_other(index):
    models, collections = ({entry.name for entry in entries} for entries in (index.models, index.collections))
    assert len(models) == len(list(index.models))
    for model in index.models:
        assert model.data['In Collection'] in collections
        assert set(model.data.get('Downstream', ())) <= models


def test_every_model_says_what_it_was_trained_on(index):
    for model in index.models:
        assert {'Training Data', 'Training Resources'} <= set(model.metadata.data)


def test_every_figure_is_one_of_the_results(index):
    text = (ROOT / 'docs' / 'results.md').read_text() + ''.join(
        path.read_text() for path in (ROOT / 'docs').glob('benchmarks.md')
    )
    seen = 0
    for model in index.models:
        for result in model.results or ():
            assert result.task and result.dataset
            for value in result.metrics.values():
                assert isinstance(value, numbers.Real) and (f' {value} ' in text or f' {value:.2f} ' in text)
                seen += 1
    assert seen > 0
