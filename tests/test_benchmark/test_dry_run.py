"""Checks before a benchmark, and probes."""

import torch

from .conftest import backbone_state, results


def test_dry_run_leaves_nothing(world, capsys):
    assert world.dry_run() == 0
    assert not world.out.exists()
    out = capsys.readouterr().out
    assert '1 tasks x 2 initialisations (scratch, ours) x 2 seeds = 4 jobs' in out and '13 GPU hours, 3 GB' in out


def test_dry_run_names_everything_that_is_missing(world, tmp_path, capsys):
    torch.save(dict(state_dict=backbone_state(num_layers=1)), tmp_path / 'short.pth')
    (tmp_path / 'broken.pth').write_bytes(b'no checkpoint')
    options = dict(checkpoints=[tmp_path / 'short.pth', tmp_path / 'broken.pth', tmp_path / 'none.pth'], data=None)
    assert world.dry_run(**options) == 2
    errors = capsys.readouterr().err
    assert 'data camvid: no root is given; use --data camvid=DIR, CamVid' in errors
    assert f'task segment, initialisation short ({tmp_path}/short.pth): it holds a ViT of width 24, depth 1, ' in errors
    assert 'but the backbone of the task has num_layers=2' in errors
    assert f'initialisation broken ({tmp_path}/broken.pth): checkpoint' in errors and 'none.pth): checkpoint' in errors
    assert world.run(**options) == 2 and not (world.out / 'jobs').exists()


def test_an_override_that_does_not_fit_is_named_once(world, weights, capsys):
    options = {'model.decode_head.num_classes.odd': 1}
    assert world.dry_run([weights], cfg_options=options) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_recipe_for_another_backbone_is_found_before_it_is_trained(world, capsys):
    recipe = world.suite.with_name('recipe.py')
    recipe.write_text(recipe.read_text().replace("'num_layers': 2", "'num_layers': 3"))
    assert world.run() == 2
    assert 'task segment, pretraining ours: it holds a ViT of width 24, depth 3' in capsys.readouterr().err
    assert not (world.out / 'pretrain').exists()


def test_a_recipe_initialised_by_another_architecture_is_found(world, capsys):
    recipe, other = world.suite.with_name('recipe.py'), world.suite.with_name('other.py')
    other.write_text(recipe.read_text().replace("'num_layers': 2", "'num_layers': 3"))
    world.suite.write_text(
        world.suite.read_text()
        + f"""
recipes['more'] = dict(config={str(other)!r}, data='camvid', init='ours')
"""
    )
    assert world.dry_run() == 2
    assert 'pretraining more: its backbone differs from that of ours, which initialises it' in capsys.readouterr().err


PROBE = """
protocols['probe'] = dict(kind='probe', data='camvid', metrics={'top-1': 'knn'}, hours=1,
                        arguments=['--probe', 'knn', '--train', '{data}/images/train', '--val', '{data}/images/VAL'])
tasks = ['probe']
"""


def test_probes_of_a_checkpoint_and_of_random_weights(world, weights):
    world.suite.write_text(world.suite.read_text() + PROBE.replace('VAL', 'val'))
    assert world.run([weights], ['net'], seeds=2) == 0
    assert {name: found['metrics'] for name, found in results(world).items()} == {
        'jobs/probe/net/seed-0': {'top-1': 60.0},
        'jobs/probe/net/seed-1': {'top-1': 61.0},
        'jobs/probe/scratch/seed-0': {'top-1': 30.0},
        'jobs/probe/scratch/seed-1': {'top-1': 31.0},
    }


def test_missing_inputs_of_a_probe_are_named(world, camvid, capsys):
    world.suite.write_text(world.suite.read_text() + PROBE.replace('VAL', 'elsewhere'))
    assert world.dry_run(baselines=['scratch']) == 2
    assert f'task probe: {camvid}/images/elsewhere: no such file or folder' in capsys.readouterr().err
    text = world.suite.read_text().replace('recipes =', 'unused =').replace("baselines = ['scratch', 'ours']", '')
    world.suite.write_text(text)
    assert world.dry_run(baselines=['scratch']) == 2
    assert 'task probe: random weights take their architecture from a checkpoint' in capsys.readouterr().err


def test_files_that_a_recipe_needs_in_data_without_a_root_are_named(world, capsys):
    options = {'train_dataloader.dataset.data_root': '{data}/boxes.bin'}
    text = world.suite.read_text()
    world.suite.write_text(text.replace("data='camvid', hours=5", f"data='camvid', cfg_options={options}"))
    assert world.dry_run(data=None) == 2
    out, err = capsys.readouterr()
    assert 'pretraining ours: data camvid must also contain boxes.bin; make it with tools/make_proposals.py' in err
    assert '2 problems' in out


def test_proposals_that_were_not_made_are_named(world, camvid, capsys):
    recipe = world.suite.with_name('recipe.py')
    text = recipe.read_text().replace(
        'pipeline=dict()', "pipeline=dict(regions=dict(type='mmssl_geo.LoadRegions', file='/none.safetensors'))"
    )
    recipe.write_text(text)
    assert world.dry_run() == 2
    assert capsys.readouterr().err.splitlines() == [
        'missing or wrong: pretraining ours: /none.safetensors: no such file; make it with tools/make_proposals.py'
    ]
