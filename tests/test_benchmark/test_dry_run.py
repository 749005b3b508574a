"""What is found before anything is computed, and probes."""
import torch

from mmssl_geo.benchmark.runner import dry_run, run

from .conftest import backbone_state, results


def test_dry_run_leaves_nothing(world, capsys):
    assert dry_run(world.request()) == 0
    assert not world.out.exists()
    out = capsys.readouterr().out
    assert '1 tasks x 2 inits (scratch, ours) x 2 seeds = 4 jobs' in out and '13 GPU hours, 3 GB' in out


def test_dry_run_names_all_that_is_missing(world, tmp_path, capsys):
    torch.save(dict(state_dict=backbone_state(num_layers=1)), tmp_path / 'short.pth')
    (tmp_path / 'broken.pth').write_bytes(b'no checkpoint')
    request = world.request([tmp_path / 'short.pth', tmp_path / 'broken.pth', tmp_path / 'none.pth'], data=None)
    assert dry_run(request) == 2
    errors = capsys.readouterr().err
    assert 'data camvid: no root is given; give --data camvid=DIR, CamVid' in errors
    assert f'task segment, start short ({tmp_path}/short.pth): it holds a ViT of width 24, depth 1, ' in errors
    assert 'but the backbone of the task has num_layers=2' in errors
    assert f'start broken ({tmp_path}/broken.pth): checkpoint' in errors and 'none.pth): checkpoint' in errors
    assert run(request) == 2 and not (world.out / 'jobs').exists()


def test_an_override_that_does_not_fit_is_named_once(world, weights, capsys):
    options = {'model.decode_head.num_classes.odd': 1}
    assert dry_run(world.request([weights], options=options)) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_recipe_for_another_backbone_is_found_before_it_is_trained(world, capsys):
    recipe = world.suite.with_name('recipe.py')
    recipe.write_text(recipe.read_text().replace("'num_layers': 2", "'num_layers': 3"))
    assert run(world.request()) == 2
    assert 'task segment, pretraining ours: it holds a ViT of width 24, depth 3' in capsys.readouterr().err
    assert not (world.out / 'pretrain').exists()


def test_a_recipe_that_goes_on_from_another_net_is_found(world, capsys):
    recipe, other = world.suite.with_name('recipe.py'), world.suite.with_name('other.py')
    other.write_text(recipe.read_text().replace("'num_layers': 2", "'num_layers': 3"))
    world.suite.write_text(world.suite.read_text() + f"""
recipes['more'] = dict(config={str(other)!r}, data='camvid', init='ours')
""")
    assert dry_run(world.request()) == 2
    assert ('pretraining more: its backbone is another than that of ours, which it goes on from'
            in capsys.readouterr().err)


PROBE = """
protocols['ask'] = dict(kind='probe', data='camvid', metrics={'top-1': 'knn'}, hours=1,
                        arguments=['--probe', 'knn', '--train', '{data}/images/train', '--val', '{data}/images/VAL'])
tasks = ['ask']
"""


def test_probes_ask_the_given_and_the_random_net(world, weights):
    world.suite.write_text(world.suite.read_text() + PROBE.replace('VAL', 'val'))
    assert run(world.request([weights], ['net'], seeds=2)) == 0
    assert {name: found['metrics'] for name, found in results(world).items()} == {
        'jobs/ask/net/seed-0': {'top-1': 60.}, 'jobs/ask/net/seed-1': {'top-1': 61.},
        'jobs/ask/scratch/seed-0': {'top-1': 30.}, 'jobs/ask/scratch/seed-1': {'top-1': 31.}}


def test_what_a_probe_lacks_is_named(world, camvid, capsys):
    world.suite.write_text(world.suite.read_text() + PROBE.replace('VAL', 'elsewhere'))
    assert dry_run(world.request(baselines=['scratch'])) == 2
    assert f'task ask: {camvid}/images/elsewhere: no such file or folder' in capsys.readouterr().err
    text = world.suite.read_text().replace('recipes =', 'unused =').replace("baselines = ['scratch', 'ours']", '')
    world.suite.write_text(text)
    assert dry_run(world.request(baselines=['scratch'])) == 2
    assert 'task ask: random weights take the architecture of a checkpoint' in capsys.readouterr().err


def test_what_a_recipe_needs_of_data_without_a_root_is_named(world, capsys):
    options = {'train_dataloader.dataset.data_root': '{data}/boxes.bin'}
    text = world.suite.read_text()
    world.suite.write_text(text.replace("data='camvid', hours=5", f"data='camvid', options={options}"))
    assert dry_run(world.request(data=None)) == 2
    printed = capsys.readouterr()
    assert 'pretraining ours: data camvid also has to hold boxes.bin; tools/make_proposals.py makes it' in printed.err
    assert '2 problems' in printed.out


def test_proposals_that_were_not_made_are_named(world, camvid, capsys):
    recipe = world.suite.with_name('recipe.py')
    text = recipe.read_text().replace(
        'pipeline=dict()', "pipeline=dict(regions=dict(type='mmssl_geo.LoadRegions', file='/none.safetensors'))")
    recipe.write_text(text)
    assert dry_run(world.request()) == 2
    assert capsys.readouterr().err.splitlines() == [
        'missing or wrong: pretraining ours: /none.safetensors: no such file; make it with tools/make_proposals.py']
