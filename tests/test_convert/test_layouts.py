import pytest
import torch

from mmssl_geo.convert.layouts import detect, flatten, names, pick, to_naming
from mmssl_geo.errors import UserError


@pytest.mark.parametrize('kind, name', [
    ('ours', 'training checkpoint of mmssl_geo'), ('official', 'official GTSA training checkpoint'),
    ('official, wrapped', 'official GTSA training checkpoint'),
    ('mmpretrain encoder', 'encoder alone, names of mmpretrain'), ('timm encoder', 'encoder alone, names of timm')])
def test_detects_layout(sources, kind, name):
    assert detect(flatten(sources[kind][0])).name == name


def test_names_are_those_of_the_packages(sources):
    assert set(names('mmpretrain', 2)) == set(sources['mmpretrain encoder'][0]['state_dict'])
    assert set(names('timm', 2)) == set(sources['official'][1].state_dict())


def test_flatten_keeps_containers_apart():
    one, two, three = torch.ones(1), torch.ones(2), torch.ones(3)
    flat = flatten(dict(state_dict=dict(a=one), ema=dict(a=two), loose=three, optimizer=dict(state={0: dict(a=one)})))
    assert flat == {'a': one, 'ema.a': two, 'loose': three}
    assert set(flatten(dict(student={'module.backbone.a': one}))) == {'student.backbone.a'}


def test_resnet_is_refused():
    torchvision = pytest.importorskip('torchvision')
    state = torchvision.models.resnet18().state_dict()
    for prefix in ('', 'backbone.'):
        with pytest.raises(UserError, match=rf'no known layout.*{prefix}conv1\.weight.*official GTSA'):
            detect(flatten(dict(state_dict={prefix + key: value for key, value in state.items()})))
    with pytest.raises(UserError, match=r'\(none\)'):
        detect(flatten(dict(epoch=1)))


def test_missing_role():
    flat = {f'backbone.{name}': torch.ones(1) for name in names('mmpretrain', 1)}
    with pytest.raises(UserError, match=r'no teacher \(teacher\.backbone\.\*\); take the student'):
        pick(flat, detect(flat), 'teacher')
    assert len(pick(flat, detect(flat), 'student')[0]) == len(flat)


def test_nets_that_are_no_plain_vit_are_refused():
    state = {name: torch.ones(1) for name in names('timm', 2)}
    with pytest.raises(UserError, match=r'unknown keys blocks\.0\.ls1\.gamma$'):
        to_naming({**state, 'blocks.0.ls1.gamma': torch.ones(1)}, 'timm', 'mmpretrain', 'file')
    del state['blocks.1.mlp.fc1.bias']
    with pytest.raises(UserError, match=r'lacks blocks\.1\.mlp\.fc1\.bias$'):
        to_naming(state, 'timm', 'mmpretrain', 'file')
    with pytest.raises(UserError, match='no blocks'):
        to_naming({name: torch.ones(1) for name in names('timm', 0)}, 'timm', 'mmpretrain', 'file')
    gap = {name.replace('blocks.1.', 'blocks.2.'): torch.ones(1) for name in names('timm', 2)}
    with pytest.raises(UserError, match=r'lacks blocks\.1\.norm1'):
        to_naming(gap, 'timm', 'mmpretrain', 'file')
