"""What the stored reference set can detect, and properties of the shipped components that it cannot."""

import torch
from mmpretrain.models.backbones import vision_transformer
from torch.nn.functional import interpolate, unfold

from mmssl_geo.apis.config import load_config
from mmssl_geo.engine.optimizers import optim_wrappers
from mmssl_geo.parity import check_parity
from mmssl_geo.parity.maps import net_quantities
from mmssl_geo.parity.models import build_model, build_wrapper
from mmssl_geo.parity.reference import stack_views
from tests.support import ROOT


def test_the_set_is_of_other_sizes_than_the_shipped_config(cfg, reference):
    batch, num_global, num_views, _ = reference.tiny_model['teacher_boxes'].shape
    assert (batch, num_global, num_views) == (3, 2, 5) and reference.losses['angles'].shape == (5, 2)
    model, _ = build_model(cfg, reference)
    block = model.backbone.layers[0]
    assert (model.backbone.embed_dims, len(model.backbone.layers), block.attn.num_heads) == (24, 3, 4)
    assert block.ffn.feedforward_channels == 48
    convs = (model.neck.blocks[0].conv, model.neck.proj, model.head.predictor.blocks[0].conv, model.head.predictor.proj)
    assert [conv.out_channels for conv in convs] == [20, 16, 16, 16]
    assert len(reference.train_steps['lr']) == 4 and len(reference.schedules['lr']) == 12 * 17
    assert reference.train_steps['clip'] != cfg.optim_wrapper.clip_grad.max_norm
    assert reference.train_steps['pc_weight'] != cfg.model.head.correspondence_weight


def test_a_transposed_or_shifted_patch_would_be_detected(reference):
    for images in stack_views(reference.tiny_model).values():
        patches = unfold(images, 16, stride=16).transpose(1, 2).unflatten(2, (3, 16, 16))
        assert (patches.std(dim=(-2, -1)) > 0.1).all()
        assert ((patches - patches.transpose(-2, -1)).abs().amax(dim=(-3, -2, -1)) > 0.5).all()
        assert len(torch.unique(patches.flatten(0, 1), dim=0)) == patches.shape[0] * patches.shape[1]


def test_all_turns_are_there(reference):
    for arrays in (reference.boxes, reference.losses, reference.tiny_model):
        assert set((arrays['angles'] % 360).flatten().tolist()) == {0.0, 90.0, 180.0, 270.0}


def test_some_gradients_are_clipped_and_some_are_not(cfg, reference, monkeypatch):
    """Otherwise global clipping or no clipping could give the same values."""
    norms = []
    clip = optim_wrappers.clip_each_
    monkeypatch.setattr(
        optim_wrappers,
        'clip_each_',
        lambda grads, norm: norms.extend(torch.stack(torch._foreach_norm(grads))) or clip(grads, norm),
    )
    assert all(quantity.holds for quantity in check_parity(cfg, reference))
    share = (torch.stack(norms) > reference.train_steps['clip']).double().mean()
    assert 0.1 < share < 0.9


def test_the_training_steps_freeze_what_the_shipped_run_decays(cfg, reference):
    """The steps freeze the position embedding; the official code decays it, and [CLS]."""
    model, _ = build_model(cfg, reference)
    groups = {group['decayed']: group['params'] for group in build_wrapper(cfg, model, 1.0).optimizer.param_groups}
    names = {id(param): name for name, param in model.named_parameters()}
    decayed, plain = ({names[id(param)] for param in groups[is_decayed]} for is_decayed in (True, False))
    assert {'backbone.pos_embed', 'backbone.cls_token'} <= decayed
    assert decayed | plain == {name for name in names.values() if not name.startswith('teacher.')}
    assert {name for name, param in model.named_parameters() if param.ndim == 1 and name in decayed | plain} == plain


def test_the_96_px_difference_is_the_interpolation_alone(cfg, reference, monkeypatch):
    def by_factor(embedding, from_size, to_size, mode, num_extra_tokens):
        """Resizes by the official scale factor, a tenth of a cell more than the size needs."""
        if tuple(from_size) == tuple(to_size):
            return embedding
        cells = embedding[:, num_extra_tokens:].unflatten(1, tuple(from_size)).permute(0, 3, 1, 2)
        factors = tuple((to + 0.1) / size for to, size in zip(to_size, from_size, strict=True))
        resized = interpolate(cells, scale_factor=factors, mode=mode).permute(0, 2, 3, 1).flatten(1, 2)
        return torch.cat([embedding[:, :num_extra_tokens], resized], dim=1)

    known = [quantity.difference for quantity in net_quantities(cfg, reference) if quantity.name.startswith('96 px')]
    assert len(known) == 2 and min(known) > 5e-3
    monkeypatch.setattr(vision_transformer, 'resize_pos_embed', by_factor)
    assert max(quantity.difference for quantity in net_quantities(cfg, reference)) < 1e-5


def test_the_config_is_not_changed(reference):
    cfg = load_config(ROOT / 'configs/gtsa_vits16_coco.py')
    before = cfg.pretty_text
    list(check_parity(cfg, reference))
    assert cfg.pretty_text == before
