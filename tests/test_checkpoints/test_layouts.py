import pytest
import torch
from torchvision.models import swin_t

from mmssl_geo.checkpoints.layouts import LAYOUTS, find, flatten, listed
from mmssl_geo.checkpoints.resnet import ResNet
from mmssl_geo.checkpoints.vit import vit_names
from mmssl_geo.utils.errors import UserError
from tests.support import checkpoints as make

ONE = torch.ones(1)
RESNET = make.torchvision_resnet(0, 18).state_dict()


def timm_state(depth=2):
    return {name: ONE for name in vit_names('timm', depth)}


def found(contents, weights='teacher'):
    return find(flatten(contents), weights)


@pytest.mark.parametrize('kind, name, naming', [
    ('ours', 'training checkpoint of mmssl_geo', 'mmpretrain'),
    ('official', 'official GTSA training checkpoint', 'timm'),
    ('official, wrapped', 'official GTSA training checkpoint', 'timm'),
    ('DINO', 'DINO training checkpoint', 'timm'),
    ('iBOT', 'iBOT or denseSSL training checkpoint', 'timm'),
    ('one network', 'one network of a DINO, iBOT or denseSSL checkpoint', 'timm'),
    ('mmpretrain encoder', 'encoder alone, names of mmpretrain', 'mmpretrain'),
    ('timm encoder', 'encoder alone, names of timm', 'timm'),
    ('iBOT encoder', 'encoder alone, names of timm', 'timm')])
def test_detects_vits(vit_sources, kind, name, naming):
    contents = vit_sources[kind][0]
    taken = found(contents)
    assert (taken.layout.name, taken.naming) == (name, naming)
    assert taken.role == ('encoder' if 'encoder' in name or 'one' in name else 'teacher')
    backwards = find(dict(reversed(flatten(contents).items())), 'teacher')
    assert (backwards.layout, backwards.role) == (taken.layout, taken.role)


@pytest.mark.parametrize('contents, name', [
    (make.ours(RESNET, RESNET, {}), 'training checkpoint of mmssl_geo'),
    (make.dino(RESNET, RESNET), 'DINO training checkpoint'),
    (make.dino(RESNET, RESNET, wrapped_teacher=True), 'DINO training checkpoint'),
    (make.dino(RESNET, RESNET, loss='ibot_loss'), 'iBOT or denseSSL training checkpoint'),
    (dict(teacher=make.prefixed('backbone.', RESNET)), 'DINO training checkpoint'),
    (dict(state_dict=make.prefixed('teacher.backbone.', RESNET)), 'training checkpoint of mmssl_geo'),
    (RESNET, 'encoder alone, names of torchvision'),
    (dict(state_dict=make.prefixed('module.', RESNET), ema=RESNET), 'encoder alone, names of torchvision')])
def test_detects_resnets(contents, name):
    taken = found(contents)
    assert taken.layout.name == name and taken.naming == 'torchvision' and len(taken.own) == len(RESNET) - 2


def test_every_layout_is_there_once():
    assert len({layout.name for layout in LAYOUTS}) == len(LAYOUTS)


def test_names_are_those_of_the_packages(vit_sources):
    assert set(vit_names('mmpretrain', 2)) == set(vit_sources['mmpretrain encoder'][0]['state_dict'])
    assert set(vit_names('timm', 2)) == set(vit_sources['official'][1].state_dict())
    for depth in (18, 34, 50, 101, 152):
        import torchvision
        with torch.device('meta'):
            state = getattr(torchvision.models, f'resnet{depth}')().state_dict()
        assert set(ResNet().names(state, 'torchvision')) == set(state) - {'fc.weight', 'fc.bias'}


def test_flatten_keeps_containers_apart():
    one, two, three = torch.ones(1), torch.ones(2), torch.ones(3)
    flat = flatten(dict(state_dict=dict(a=one), ema=dict(a=two), loose=three, optimizer=dict(state={0: dict(a=one)})))
    assert flat == {'a': one, 'ema/a': two, 'loose': three}
    assert set(flatten(dict(student={'module.backbone.a': one}))) == {'student/backbone.a'}
    assert set(flatten(dict(model={'module.a': one, 'b.module.c': one}))) == {'a', 'b.module.c'}


@pytest.mark.parametrize('contents, missing, other', [
    (dict(state_dict=make.prefixed('backbone.', RESNET)), r'no teacher \(teacher\.backbone\.\*\)', 'student'),
    (dict(student=make.prefixed('module.backbone.', timm_state())), r'no teacher \(teacher/backbone\.\*\)', 'student'),
    (dict(teacher=make.prefixed('backbone.', timm_state())), r'no student \(student/backbone\.\*\)', 'teacher'),
    (dict(model=make.prefixed('base_encoder.', timm_state())), r'no teacher \(momentum_encoder\.\*\)', 'student')])
def test_missing_role(contents, missing, other):
    absent = 'student' if other == 'teacher' else 'teacher'
    with pytest.raises(UserError, match=f'{missing}; take the {other}: --weights {other}$'):
        found(contents, absent)
    assert found(contents, other).role == other


def test_broken_role_is_named_though_the_other_is_whole():
    teacher = {name: ONE for name in timm_state() if name != 'norm.bias'}
    contents = make.dino(timm_state(), teacher)
    assert found(contents, 'student').role == 'student'
    with pytest.raises(UserError, match=r'"DINO training checkpoint", teacher, .*: it lacks norm\.bias\. Known are'):
        found(contents)


@pytest.mark.parametrize('extra, said', [
    ({f'blocks.{number}.ls1.gamma': ONE for number in (0, 1)}, r'blocks\.\*\.ls1\.gamma \(2 x\)'),
    (dict(reg_token=ONE), 'reg_token'), (dict(dist_token=ONE), 'dist_token'),
    ({'fc_norm.weight': ONE, 'fc_norm.bias': ONE}, r'fc_norm\.weight, fc_norm\.bias')])
def test_vits_that_the_packages_cannot_build(extra, said):
    with pytest.raises(UserError, match=rf'(?s)"encoder alone, names of timm".*: unknown are {said}\. Known'):
        found({**timm_state(), **extra})


def test_vits_with_gaps():
    for gone, said in (('cls_token', 'cls_token'), ('blocks.1.mlp.fc1.bias', r'blocks\.1\.mlp\.fc1\.bias')):
        with pytest.raises(UserError, match=rf'it lacks {said}\. Known'):
            found({name: ONE for name in timm_state() if name != gone})
    with pytest.raises(UserError, match=r'it lacks blocks\.0\.norm1\.weight, .*blocks\.0\.mlp\.fc2\.bias\. Known'):
        found(timm_state(depth=0))
    gap = {name.replace('blocks.1.', 'blocks.2.'): ONE for name in timm_state()}
    with pytest.raises(UserError, match=r'it lacks blocks\.1\.norm1\.weight, .*blocks\.1\.mlp\.fc2\.bias\. Known'):
        found(gap)
    with pytest.raises(UserError, match=r'it lacks norm\.weight, norm\.bias\. Known'):  # only our own exports may
        found({name: ONE for name in timm_state() if not name.startswith('norm.')})
    half = {name: ONE for name in vit_names('mmpretrain', 2) if name != 'ln1.bias'}
    with pytest.raises(UserError, match=r'names of mmpretrain".*it lacks ln1\.bias\. Known'):
        found(half)


def test_resnets_that_the_packages_cannot_build():
    grouped = {key.replace('conv1.weight', 'stem.0.weight') if key.startswith('conv1') else key: value
               for key, value in RESNET.items()}
    with pytest.raises(UserError, match=r'names of torchvision".*it lacks conv1\.weight; unknown are stem\.0\.weight'):
        found(grouped)
    with pytest.raises(UserError, match=r'it lacks layer3\.1\.bn2\.running_var\. Known'):
        found({key: value for key, value in RESNET.items() if key != 'layer3.1.bn2.running_var'})


def test_unknown_nets_are_refused_with_all_that_did_not_fit():
    with torch.device('meta'):
        state = swin_t().state_dict()
    with pytest.raises(UserError, match=r'no known layout.*unknown .*features\.\*\.\*\.attn\.qkv\.weight \(12 x\), .*'
                                        r'\. Known are: training checkpoint of mmssl_geo; .*DINO training'):
        found(state)
    with pytest.raises(UserError, match=r'there are encoder_q\.conv1\.weight, .* and 59 more\. Known'):
        found(make.prefixed('encoder_q.', RESNET))
    with pytest.raises(UserError, match=r'no known layout: there are \(none\)'):
        found(dict(epoch=1))


def test_listed():
    assert listed(['a', 'b.1.c', 'b.22.c', 'd.1.e']) == 'a, b.*.c (2 x), d.1.e'
    assert listed([f'k{number}' for number in range(43)], most=2) == 'k0, k1 and 41 more'
