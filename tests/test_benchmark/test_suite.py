import pytest
from mmengine.config import Config

from mmssl_geo.benchmark.plan.suite import load_suite, shipped_suites
from mmssl_geo.utils.errors import UserError

PROMISED = {'quick', 'real-small', 'coco', 'ade20k', 'voc', 'inat19', 'paper-gtsa', 'paper-d3ssl'}


@pytest.fixture(scope='module')
def configs():
    """Reads each config once."""
    read = {}

    def get(one):
        if one.config not in read:
            read[one.config] = Config.fromfile(one.config_path)
        return read[one.config]

    return get


def net(cfg):
    """Kind and size of the backbone, which decide whether weights fit."""
    backbone = cfg.model.backbone
    return (backbone.type, str(backbone.get('arch', backbone.get('depth'))), backbone.get('patch_size'))


def test_the_promised_suites_are_there():
    assert PROMISED <= set(shipped_suites())


@pytest.mark.parametrize('name', shipped_suites())
def test_shipped_suite(name, configs):
    suite = load_suite(name)  # refuses configs that do not exist
    assert suite.seeds >= 1 and suite.tasks
    tuned = [task for task in suite.tasks.values() if task.kind == 'finetune']
    nets = {net(configs(one)) for one in (*tuned, *suite.recipes.values())}
    assert len(nets) == 1, 'one checkpoint must fit all tasks and recipes'
    assert all(task.hours > 0 and task.disk_gb > 0 for task in suite.tasks.values())
    for task in tuned:
        cfg = configs(task)
        assert cfg.default_scope == task.config.split('/')[2]
        base = cfg.get('auto_scale_lr', {}).get('base_batch_size')
        if base and task.gpus > 1:
            assert cfg.train_dataloader.batch_size * task.gpus == base
        # mmpretrain's export keeps the final LayerNorm, the others drop it; a ResNet has none
        if 'VisionTransformer' in net(cfg)[0]:
            assert (task.target == 'mmpretrain') == cfg.model.backbone.get('final_norm', True)
        assert set(task.paper) <= set(task.metrics)


def test_published_numbers_of_gtsa():
    tasks = load_suite('paper-gtsa').tasks
    assert [task.paper for task in tasks.values()] == [
        {
            'box AP': dict(dino=32.4, gtsa=35.8),
            'box AP50': dict(gtsa=57.8),
            'mask AP': dict(dino=30.8, gtsa=33.5),
            'mask AP50': dict(gtsa=54.7),
        },
        {'mIoU': dict(dino=27.3, gtsa=30.6), 'mAcc': dict(gtsa=40.0)},
        {'top-1': dict(dino=54.8, gtsa=59.7), 'top-5': dict(gtsa=85.7)},
    ]


@pytest.mark.parametrize(
    'before, after, message',
    [
        ("data='camvid', target", "data='camvod', target", "segment: data 'camvod' is not one of camvid"),
        ('disk_gb=0.5', 'disk=0.5', 'segment has an unknown key disk; the keys are arguments, cfg_options, config'),
        ("target='mmseg', ", '', 'target of kind finetune one of'),
        ("metrics={'mIoU': 'mIoU'}, ", '', 'segment lacks metrics'),
        ("tasks = ['segment']", "tasks = ['detect']", 'there is no protocol detect; the protocols are segment'),
        ("baselines = ['scratch', 'ours']", "baselines = ['moco']", "baseline 'moco' is neither scratch nor a recipe"),
        ("data='camvid', hours=5", "data='camvid', init='moco'", "ours: init 'moco' is not a recipe"),
        ("data='camvid', hours=5", "data='camvid', init='ours'", "init 'ours' is not a recipe that starts from random"),
        ('recipe.py', 'lost.py', 'there is no config .*lost.py'),
    ],
)
def test_mistakes_in_a_suite(world, before, after, message):
    text = world.suite.read_text()
    assert before in text
    world.suite.write_text(text.replace(before, after))
    with pytest.raises(UserError, match=f'suite .*small.py cannot be used: .*{message}'):
        load_suite(world.suite)


def test_configs_in_the_folder_of_the_suite(world):
    text = world.suite.read_text()
    world.suite.write_text(text.replace(str(world.config), 'config.py'))
    assert load_suite(world.suite).tasks['segment'].config_path == world.config


def test_an_unknown_suite_lists_the_shipped_ones():
    with pytest.raises(UserError, match='there is no suite tiny; use one of ade20k, .*quick'):
        load_suite('tiny')
