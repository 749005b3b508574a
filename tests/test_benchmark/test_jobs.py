import pytest

from mmssl_geo.benchmark.plan.jobs import choose_inits, choose_tasks, make_jobs, needed_recipes
from mmssl_geo.benchmark.plan.suite import Dataset, Recipe, Suite, Task
from mmssl_geo.benchmark.plan.summary import plan_summary, total_cost
from mmssl_geo.utils.errors import UserError

RECIPES = dict(gtsa=Recipe('gtsa', 'g.py', 'a', hours=10, disk_gb=2), dino=Recipe('dino', 'd.py', 'a', hours=20))
TASKS = dict(
    detect=Task('detect', 'a', {'AP': 'ap'}, config='x.py', hours=3, disk_gb=1.5, paper={'AP': dict(gtsa=35.8)}),
    probe=Task('probe', 'a', {'top-1': 'knn'}, kind='probe', arguments=('--probe', 'knn'), hours=0.5),
)
SUITE = Suite('s', TASKS, dict(a=Dataset('a', 'images')), RECIPES, 3, ('scratch', 'dino'), 'GPU')


def names(inits):
    return [(init.name, init.is_baseline) for init in inits]


def test_without_checkpoints_the_suite_pretrains_its_recipes():
    inits = choose_inits(SUITE)
    assert names(inits) == [('scratch', True), ('dino', True), ('gtsa', False)]
    assert [init.recipe and init.recipe.config for init in inits] == [None, 'd.py', 'g.py']


def test_with_checkpoints_only_named_recipes_are_pretrained():
    assert names(choose_inits(SUITE, ['x/a.pth', 'b.pth'])) == [('scratch', True), ('a', False), ('b', False)]
    inits = choose_inits(SUITE, ['x/a.pth'], ['ours'], ['dino', 'old=y/z.pth'])
    assert names(inits) == [('dino', True), ('old', True), ('ours', False)]
    assert inits[0].recipe is RECIPES['dino'] and str(inits[1].checkpoint) == 'y/z.pth'


@pytest.mark.parametrize(
    'arguments, message',
    [
        ((['x/a.pth', 'y/a.pth'],), 'two initialisations are named a; give them different names with --names'),
        ((['a.pth', 'b.pth'], ['one']), '1 names for 2 checkpoints'),
        ((['a.pth'], ['../up']), 'cannot name a folder'),
        ((['scratch.pth'], (), []), 'scratch means random weights'),
        (
            (['a.pth'], (), ['moco']),
            '--baselines moco: suite s has scratch, gtsa, dino .* for a checkpoint give NAME=PATH',
        ),
    ],
)
def test_invalid_initialisations(arguments, message):
    with pytest.raises(UserError, match=message):
        choose_inits(SUITE, *arguments)


def test_jobs_are_all_combinations_seed_by_seed():
    jobs = make_jobs(list(TASKS.values()), choose_inits(SUITE), 2)
    assert len(jobs) == 2 * 3 * 2 and len({job.name for job in jobs}) == 12
    assert [job.seed for job in jobs] == [0] * 6 + [1] * 6
    assert jobs[0].name == 'detect/scratch/seed-0'


def test_costs_count_every_job_and_every_pretraining_once():
    inits = choose_inits(SUITE)
    # 3 inits x 4 seeds x (3 + 0.5) hours + 10 + 20 of pretraining; 12 x 1.5 GB + 2
    assert total_cost(SUITE, list(TASKS.values()), inits, 4) == (72.0, 20.0)
    text = plan_summary(SUITE, list(TASKS.values()), inits, 4)
    assert '2 tasks x 3 initialisations (scratch, dino, gtsa) x 4 seeds = 24 jobs' in text
    assert '72 GPU hours, 20 GB' in text
    assert '| detect | x.py | a | 0, 1, 2, 3 | 12 | 36 | 18 | gtsa 35.8 AP |' in text
    assert '| pretraining dino | d.py | a | 0 | 1 | 20 | 0 | |' in text


def test_the_recipe_that_initialises_another_is_needed_too():
    recipes = RECIPES | dict(more=Recipe('more', 'm.py', 'a', init='dino', hours=5))
    suite = Suite('s', TASKS, SUITE.data, recipes, 1, ('scratch',), 'GPU')
    inits = choose_inits(suite, ['x.pth'], baselines=['more'])
    assert [recipe.name for recipe in needed_recipes(suite, inits)] == ['dino', 'more']
    assert total_cost(suite, [TASKS['probe']], inits, 1) == (0.5 * 2 + 20 + 5, 0.0)
    assert plan_summary(suite, [TASKS['probe']], inits, 1).index('pretraining dino') > 0
    assert [recipe.name for recipe in needed_recipes(suite, choose_inits(suite))] == ['gtsa', 'dino', 'more']


def test_tasks_by_name():
    assert [task.name for task in choose_tasks(SUITE, ['probe'])] == ['probe']
    with pytest.raises(UserError, match='--tasks dance: suite s has detect, probe'):
        choose_tasks(SUITE, ['dance'])
