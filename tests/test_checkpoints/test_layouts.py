import pytest
import torch
from torchvision.models import swin_t

from mmssl_geo.checkpoints.layouts import LAYOUTS, flatten_checkpoint, match_encoder, strip_wrappers, summarize_keys
from mmssl_geo.checkpoints.resnet import ResNet
from mmssl_geo.checkpoints.vit import vit_keys
from mmssl_geo.utils.errors import UserError
from tests.support import checkpoints as make

ONE = torch.ones(1)
RESNET = make.torchvision_resnet(0, 18).state_dict()


def timm_state(depth=2):
    return {name: ONE for name in vit_keys('timm', depth)}


def match(contents, weights='teacher'):
    return match_encoder(flatten_checkpoint(contents), weights)


@pytest.mark.parametrize(
    'kind, name, key_style',
    [
        ('ours', 'training checkpoint of mmssl_geo', 'mmpretrain'),
        ('official', 'official GTSA or MoCo v3 training checkpoint', 'timm'),
        ('official, wrapped', 'official GTSA or MoCo v3 training checkpoint', 'timm'),
        ('DINO', 'DINO training checkpoint', 'timm'),
        ('iBOT', 'iBOT or denseSSL training checkpoint', 'timm'),
        ('one network', 'one network of a DINO, iBOT or denseSSL checkpoint', 'timm'),
        ('mmpretrain encoder', 'single encoder with the keys of mmpretrain', 'mmpretrain'),
        ('timm encoder', 'single encoder with the keys of timm', 'timm'),
        ('iBOT encoder', 'single encoder with the keys of timm', 'timm'),
    ],
)
def test_detects_vits(vit_sources, kind, name, key_style):
    contents = vit_sources[kind][0]
    taken = match(contents)
    assert (taken.layout.name, taken.key_style) == (name, key_style)
    assert taken.role == ('encoder' if 'encoder' in name or 'one' in name else 'teacher')
    backwards = match_encoder(dict(reversed(flatten_checkpoint(contents).items())), 'teacher')
    assert (backwards.layout, backwards.role) == (taken.layout, taken.role)


@pytest.mark.parametrize(
    'contents, name',
    [
        (make.ours(RESNET, RESNET, {}), 'training checkpoint of mmssl_geo'),
        (make.dino(RESNET, RESNET), 'DINO training checkpoint'),
        (make.dino(RESNET, RESNET, wrapped_teacher=True), 'DINO training checkpoint'),
        (make.dino(RESNET, RESNET, loss='ibot_loss'), 'iBOT or denseSSL training checkpoint'),
        (dict(teacher=make.prefixed('backbone.', RESNET)), 'DINO training checkpoint'),
        (dict(state_dict=make.prefixed('teacher.backbone.', RESNET)), 'training checkpoint of mmssl_geo'),
        (make.repeated(RESNET, 'module.encoder_q.', 'module.encoder_k.'), 'MoCo training checkpoint'),
        (make.repeated(RESNET, 'encoder_q.0.', 'encoder_k.0.'), 'DenseCL training checkpoint'),
        (make.repeated(RESNET, 'backbone.', 'encoder_q.0.', 'encoder_k.0.'), 'DenseCL training checkpoint'),
        (make.repeated(RESNET, 'module.encoder.', 'module.encoder_k.'), 'PixPro or SoCo training checkpoint'),
        (make.repeated(RESNET, 'base_encoder.', 'momentum_encoder.'), 'official GTSA or MoCo v3 training checkpoint'),
        (make.repeated(RESNET, 'backbone.', 'momentum_backbone.'), 'solo-learn training checkpoint'),
        (
            {**make.repeated(RESNET, 'backbone.'), 'projector.0.weight': ONE},
            'solo-learn training checkpoint without momentum',
        ),
        (make.repeated(RESNET, 'student_backbone.', 'teacher_backbone.'), 'lightly training checkpoint'),
        (
            make.repeated(RESNET, 'backbone.', 'backbone_momentum.'),
            'lightly training checkpoint with a momentum encoder',
        ),
        (RESNET, 'single encoder with the keys of torchvision'),
        (dict(state_dict=make.prefixed('module.', RESNET), ema=RESNET), 'single encoder with the keys of torchvision'),
    ],
)
def test_detects_resnets(contents, name):
    taken = match(contents)
    assert taken.layout.name == name and taken.key_style == 'torchvision' and len(taken.state_dict) == len(RESNET) - 2


@pytest.mark.parametrize(
    'contents, name',
    [
        (make.repeated(timm_state(), 'student_backbone.vit.', 'teacher_backbone.vit.'), 'masked ViT'),
        (make.repeated(timm_state(), 'base_encoder.', 'momentum_encoder.'), 'MoCo v3'),
        ({**timm_state(), 'decoder_embed.weight': ONE, 'mask_token': ONE}, 'keys of timm'),
        (dict(module=timm_state(), optimizer={}), 'keys of timm'),
        (dict(model_state_dict=make.prefixed('_orig_mod.', timm_state())), 'keys of timm'),
    ],
)
def test_detects_vits_of_other_trainers(contents, name):
    assert name in match(contents).layout.name


@pytest.mark.parametrize(
    'key, message',
    [
        ('vit.embeddings.cls_token', r'keys of Hugging Face transformers \(vit\.embeddings.*create_model'),
        ('embeddings.patch_embeddings.projection.weight', 'Hugging Face'),
        ('teacher_embedding_model.wrapped_model._model.cls_token', 'lightly-train.*export'),
        ('backbone.4.0.conv1.weight', 'a ResNet as an nn.Sequential without names'),
        ('visual.transformer.resblocks.0.ln_1.weight', 'a CLIP model'),
    ],
)
def test_refuses_foreign_keys_by_name(key, message):
    with pytest.raises(UserError, match=message):
        match({key: ONE, 'other.weight': ONE})


@pytest.mark.parametrize('index', ['999999999', '9' * 30])
def test_a_huge_block_index_is_not_a_long_list(index):
    with pytest.raises(UserError, match='missing keys') as error:
        match({**timm_state(), f'blocks.{index}.norm1.weight': ONE, f'layer1.{index}.conv1.weight': ONE})
    assert len(str(error.value)) < 10_000


def test_layout_names_are_unique():
    assert len({layout.name for layout in LAYOUTS}) == len(LAYOUTS)


def test_keys_are_those_of_the_packages(vit_sources):
    assert set(vit_keys('mmpretrain', 2)) == set(vit_sources['mmpretrain encoder'][0]['state_dict'])
    assert set(vit_keys('timm', 2)) == set(vit_sources['official'][1].state_dict())
    for depth in (18, 34, 50, 101, 152):
        import torchvision

        with torch.device('meta'):
            state = getattr(torchvision.models, f'resnet{depth}')().state_dict()
        assert set(ResNet().expected_keys(state, 'torchvision')) == set(state) - {'fc.weight', 'fc.bias'}


def test_flatten_keeps_containers_apart():
    one, two, three = torch.ones(1), torch.ones(2), torch.ones(3)
    flat = flatten_checkpoint(
        dict(state_dict=dict(a=one), ema=dict(a=two), loose=three, optimizer=dict(state={0: dict(a=one)}))
    )
    assert flat == {'a': one, 'ema/a': two, 'loose': three}
    assert set(flatten_checkpoint(dict(student={'module.backbone.a': one}))) == {'student/backbone.a'}
    assert set(flatten_checkpoint(dict(module={'module.a': one, 'b.module.c': one}))) == {'a', 'b.c'}


@pytest.mark.parametrize(
    'key, stripped, whole_model',
    [
        ('module.backbone.conv1.weight', 'backbone.conv1.weight', 'backbone.conv1.weight'),
        ('module._orig_mod.conv1.weight', 'conv1.weight', 'conv1.weight'),
        ('_fsdp_wrapped_module.blocks.0._fsdp_wrapped_module.norm.bias', 'blocks.0.norm.bias', 'blocks.0.norm.bias'),
        ('blocks.0._checkpoint_wrapped_module.norm.bias', 'blocks.0.norm.bias', 'blocks.0.norm.bias'),
        ('teacher/module.backbone.norm.bias', 'teacher/backbone.norm.bias', 'teacher/module.backbone.norm.bias'),
        ('neck.module.weight', 'neck.weight', 'neck.module.weight'),
        ('submodule.weight', 'submodule.weight', 'submodule.weight'),
    ],
)
def test_strip_wrappers(key, stripped, whole_model):
    assert strip_wrappers(key) == stripped
    assert strip_wrappers(key, inner_module=False) == whole_model


def test_two_tensors_of_one_name():
    with pytest.raises(UserError, match=r'two tensors for a\.b, one of them under the name module\.a\.b'):
        flatten_checkpoint({'a.b': ONE, 'module.a.b': ONE})
    with pytest.raises(UserError, match='state_dict has the key 3, but the keys of weights must be text'):
        flatten_checkpoint(dict(state_dict={3: ONE}))


@pytest.mark.parametrize(
    'contents, missing, other',
    [
        (dict(state_dict=make.prefixed('backbone.', RESNET)), r'no teacher \(teacher\.backbone\.\*\)', 'student'),
        (
            dict(student=make.prefixed('module.backbone.', timm_state())),
            r'no teacher \(teacher/backbone\.\*\)',
            'student',
        ),
        (dict(teacher=make.prefixed('backbone.', timm_state())), r'no student \(student/backbone\.\*\)', 'teacher'),
        (dict(model=make.prefixed('base_encoder.', timm_state())), r'no teacher \(momentum_encoder\.\*\)', 'student'),
    ],
)
def test_missing_role(contents, missing, other):
    absent = 'student' if other == 'teacher' else 'teacher'
    with pytest.raises(UserError, match=f'{missing}; use the {other} with --weights {other}$'):
        match(contents, absent)
    assert match(contents, other).role == other


def test_incomplete_role_is_reported_even_if_the_other_is_complete():
    teacher = {name: ONE for name in timm_state() if name != 'norm.bias'}
    contents = make.dino(timm_state(), teacher)
    assert match(contents, 'student').role == 'student'
    with pytest.raises(UserError, match=r'"DINO training checkpoint", teacher, .*; missing keys: norm\.bias\. Known'):
        match(contents)


@pytest.mark.parametrize(
    'extra, said',
    [
        ({f'blocks.{number}.ls1.gamma': ONE for number in (0, 1)}, r'blocks\.\*\.ls1\.gamma \(2 x\)'),
        (dict(reg_token=ONE), 'reg_token'),
        (dict(dist_token=ONE), 'dist_token'),
        ({'fc_norm.weight': ONE, 'fc_norm.bias': ONE}, r'fc_norm\.weight, fc_norm\.bias'),
    ],
)
def test_vits_that_the_packages_cannot_build(extra, said):
    with pytest.raises(UserError, match=rf'(?s)"single encoder .* of timm".*; unexpected keys: {said}\. Known'):
        match({**timm_state(), **extra})


def test_vits_with_gaps():
    for gone, said in (('cls_token', 'cls_token'), ('blocks.1.mlp.fc1.bias', r'blocks\.1\.mlp\.fc1\.bias')):
        with pytest.raises(UserError, match=rf'missing keys: {said}\. Known'):
            match({name: ONE for name in timm_state() if name != gone})
    with pytest.raises(UserError, match=r'missing keys: blocks\.0\.norm1\.weight, .*blocks\.0\.mlp\.fc2\.bias\. Known'):
        match(timm_state(depth=0))
    gap = {name.replace('blocks.1.', 'blocks.2.'): ONE for name in timm_state()}
    with pytest.raises(UserError, match=r'missing keys: blocks\.1\.norm1\.weight, .*blocks\.1\.mlp\.fc2\.bias\. Known'):
        match(gap)
    with pytest.raises(
        UserError, match=r'missing keys: norm\.weight, norm\.bias\. Known'
    ):  # only our exports may lack them
        match({name: ONE for name in timm_state() if not name.startswith('norm.')})
    half = {name: ONE for name in vit_keys('mmpretrain', 2) if name != 'ln1.bias'}
    with pytest.raises(UserError, match=r'keys of mmpretrain".*missing keys: ln1\.bias\. Known'):
        match(half)


def test_resnets_that_the_packages_cannot_build():
    grouped = {
        key.replace('conv1.weight', 'stem.0.weight') if key.startswith('conv1') else key: value
        for key, value in RESNET.items()
    }
    with pytest.raises(
        UserError, match=r'of torchvision".*missing keys: conv1\.weight; unexpected keys: stem\.0\.weight'
    ):
        match(grouped)
    with pytest.raises(UserError, match=r'missing keys: layer3\.1\.bn2\.running_var\. Known'):
        match({key: value for key, value in RESNET.items() if key != 'layer3.1.bn2.running_var'})


def test_unknown_networks_are_refused_with_a_list_of_keys():
    with torch.device('meta'):
        state = swin_t().state_dict()
    with pytest.raises(
        UserError,
        match=r'no known layout.*unexpected .*features\.\*\.\*\.attn\.qkv\.weight \(12 x\), .*'
        r'\. Known layouts: .*training checkpoint of mmssl_geo; .*DINO training',
    ):
        match(state)
    with pytest.raises(UserError, match=r'the file has the keys tower\.conv1\.weight, .* and 59 more\. Known'):
        match(make.prefixed('tower.', RESNET))
    with pytest.raises(UserError, match=r'no known layout; the file has the keys \(none\)'):
        match(dict(epoch=1))


def test_summarize_keys():
    assert summarize_keys(['a', 'b.1.c', 'b.22.c', 'd.1.e']) == 'a, b.*.c (2 x), d.1.e'
    assert summarize_keys([f'k{number}' for number in range(43)], limit=2) == 'k0, k1 and 41 more'
