import pytest
import torch
from mmengine.hooks import Hook

from mmssl_geo.datasets import samplers
from mmssl_geo.engine.hooks.step_seed_hook import StepSeedHook
from mmssl_geo.utils.errors import UserError

IMAGES, EPOCHS, LENGTH = 23, 3, 8  # of the runs in conftest.py; LENGTH batches make an epoch


def assert_same_weights(one, other):
    for a, b in zip(one.model.state_dict().values(), other.model.state_dict().values(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize('stop_after, workers', [(3, 0), (5, 2), (8, 0), (9, 0), (16, 0), (19, 0)])
def test_killed_and_resumed_equals_uninterrupted(tmp_path, stop_after, workers, train):
    """Checkpoints at even iterations; 8 and 16 are the ends of epochs."""
    whole, uninterrupted = train(tmp_path / 'whole')
    assert len(uninterrupted.stream) == EPOCHS * LENGTH
    train(tmp_path / 'killed', stop_after=stop_after)
    resumed, continued = train(tmp_path / 'killed', resume=True, workers=workers)
    saved = stop_after // 2 * 2
    assert continued.stream == uninterrupted.stream[saved:]
    assert continued.places == uninterrupted.places[saved:]
    assert_same_weights(whole, resumed)
    if workers == 0:  # nothing was read for the batches that were skipped
        assert resumed.train_dataloader.dataset.read == [key for batch in uninterrupted.stream[saved:] for key in batch]


def test_checkpoints_by_epoch_resume_too(tmp_path, train):
    checkpoint = dict(by_epoch=True, interval=1)
    whole, uninterrupted = train(tmp_path / 'whole', checkpoint=checkpoint)
    train(tmp_path / 'killed', checkpoint=checkpoint, stop_after=LENGTH + 3)
    resumed, continued = train(tmp_path / 'killed', checkpoint=checkpoint, resume=True)
    assert continued.places == uninterrupted.places[LENGTH:]
    assert_same_weights(whole, resumed)


def test_every_epoch_is_complete_and_a_different_permutation(tmp_path, train):
    _, recorder = train(tmp_path)
    epochs = [sum(recorder.stream[e * LENGTH : (e + 1) * LENGTH], []) for e in range(EPOCHS)]
    for epoch, pairs in enumerate(epochs):
        assert sorted(pairs) == [(i, epoch) for i in range(IMAGES)]
    assert len({tuple(i for i, _ in pairs) for pairs in epochs}) == EPOCHS


def test_the_loop_needs_no_sampler_hook(tmp_path, train):
    _, uninterrupted = train(tmp_path / 'whole')
    train(tmp_path / 'killed', stop_after=11)
    _, continued = train(tmp_path / 'killed', resume=True, hooks=dict(sampler_seed=None))
    assert continued.stream == uninterrupted.stream[10:]


def test_without_step_seed_dropout_differs_after_a_resume(tmp_path, monkeypatch, train):
    """The equality above is due to the hook."""
    monkeypatch.setattr(StepSeedHook, 'before_train_iter', Hook.before_train_iter)
    whole, _ = train(tmp_path / 'whole')
    train(tmp_path / 'killed', stop_after=3)
    resumed, _ = train(tmp_path / 'killed', resume=True)
    assert not torch.equal(whole.model.layer.weight, resumed.model.layer.weight)


def test_accumulation_resumes_at_a_step(tmp_path, train):
    options = dict(accumulation=4, checkpoint=dict(by_epoch=False, interval=4))
    whole, uninterrupted = train(tmp_path / 'whole', **options)
    train(tmp_path / 'killed', stop_after=14, **options)
    resumed, continued = train(tmp_path / 'killed', resume=True, **options)
    assert continued.places == uninterrupted.places[12:]
    assert_same_weights(whole, resumed)


def test_checkpoints_between_optimizer_steps_are_refused(tmp_path, make_runner, train):
    for checkpoint in (dict(by_epoch=False, interval=4), dict(by_epoch=False, interval=6, save_begin=2)):
        runner, recorder = make_runner(tmp_path, accumulation=3, checkpoint=checkpoint)
        with pytest.raises(UserError, match='multiples of optim_wrapper.accumulative_counts=3'):
            runner.train()
        assert recorder.stream == []


def test_the_seed_of_the_checkpoint_orders_the_data(tmp_path, train):
    _, uninterrupted = train(tmp_path / 'whole', seed=5)
    train(tmp_path / 'killed', seed=5, stop_after=5)
    _, continued = train(tmp_path / 'killed', resume=True, seed=6)
    assert continued.stream == uninterrupted.stream[4:]


def test_two_ranks_share_the_rest_of_the_epoch(tmp_path, monkeypatch, train):
    _, one = train(tmp_path / 'one', batch=4, stop_after=11)
    streams = []
    for rank in range(2):
        monkeypatch.setattr(samplers, 'get_dist_info', lambda rank=rank: (rank, 2))
        (tmp_path / f'{rank}').mkdir()
        train(tmp_path / f'{rank}', batch=2, stop_after=9)
        streams.append(train(tmp_path / f'{rank}', batch=2, stop_after=11, resume=True)[1].stream)
    assert len(streams[0]) == 3
    for step, batches in enumerate(zip(*streams, strict=True), 8):
        assert sorted(sum(batches, [])) == sorted(one.stream[step])
