"""Every array of a reference set is compared, with the stated tolerance."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from mmssl_geo.datasets import RandomQuarterTurns
from mmssl_geo.parity import Quantity, check_parity
from mmssl_geo.parity.maps import loss_quantities, net_quantities, stored_output_quantities
from mmssl_geo.parity.quantity import relative_difference
from mmssl_geo.parity.schedules import schedule_quantities
from mmssl_geo.parity.steps import step_quantities
from mmssl_geo.parity.views import box_quantities
from mmssl_geo.utils.errors import UserError

NET = (stored_output_quantities, net_quantities, step_quantities)


def value_id(value):
    """Names a parameter of a test; an address in memory would differ between processes."""
    names = [getattr(item, '__name__', str(item)) for item in (value if isinstance(value, list) else [value])]
    return '+'.join(names)[:60]


def changed(reference, file, array, change):
    """Returns the set with a function applied to a copy of one array."""
    arrays = dict(getattr(reference, file))
    arrays[array] = change(arrays[array].clone())
    return replace(reference, **{file: arrays})


def differing(compare, cfg, reference):
    return [quantity.name for one in compare for quantity in one(cfg, reference) if not quantity.holds]


def at_largest(factor):
    """Scales the value with the largest magnitude by 1 + factor."""

    def change(values):
        values.view(-1)[values.abs().argmax()] *= 1 + factor
        return values

    return change


def by_pixels(place, amount):
    """Moves a border of one box."""

    def change(boxes):
        boxes[place][2] += amount
        return boxes

    return change


RELATIVE = [
    (loss_quantities, 'losses', 'crop_loss', 1e-9, 'crop loss'),
    (loss_quantities, 'losses', 'patch_correspondence_loss', 1e-9, 'patch correspondence loss'),
    (loss_quantities, 'losses', 'crop_grad_global', 1e-7, 'crop loss, gradient'),
    (loss_quantities, 'losses', 'crop_grad_local', 1e-7, 'crop loss, gradient'),
    (loss_quantities, 'losses', 'pc_grad_global', 1e-7, 'patch correspondence loss, gradient'),
    (loss_quantities, 'losses', 'pc_grad_local', 1e-7, 'patch correspondence loss, gradient'),
    (stored_output_quantities, 'tiny_model', 'rotation_loss', 1e-9, 'rotation loss of the stored tokens'),
    (stored_output_quantities, 'tiny_model', 'crop_loss', 1e-9, 'crop loss of the stored outputs'),
    (
        stored_output_quantities,
        'tiny_model',
        'patch_correspondence_loss',
        1e-9,
        'patch correspondence loss of the stored outputs',
    ),
    (net_quantities, 'tiny_model', 'student_tokens_global', 1e-5, '224 px views, student tokens'),
    (net_quantities, 'tiny_model', 'student_out_global', 1e-5, '224 px views, student outputs'),
    (net_quantities, 'tiny_model', 'teacher_out_global', 1e-5, '224 px views, teacher outputs'),
    (step_quantities, 'train_steps', 'losses', 1e-6, 'training steps: losses'),
    (
        step_quantities,
        'train_steps',
        'grad_abs_sum/base_encoder.blocks.1.attn.qkv.bias',
        1e-6,
        'training steps: clipped gradients',
    ),
    (
        step_quantities,
        'train_steps',
        'param_abs_sum/base_predictor.proj.weight',
        1e-6,
        'training steps: student parameters',
    ),
    (
        step_quantities,
        'train_steps',
        'param_abs_sum/momentum_projector.proj.bias',
        1e-6,
        'training steps: teacher parameters',
    ),
    (schedule_quantities, 'schedules', 'lr', 1e-9, 'schedules: learning rate'),
    (schedule_quantities, 'schedules', 'weight_decay', 1e-9, 'schedules: weight decay'),
    (schedule_quantities, 'schedules', 'momentum', 1e-9, 'schedules: teacher momentum'),
]


@pytest.mark.parametrize('compare,file,array,tolerance,name', RELATIVE, ids=value_id)
def test_relative_tolerances(compare, file, array, tolerance, name, cfg, reference):
    assert differing([compare], cfg, changed(reference, file, array, at_largest(0.5 * tolerance))) == []
    assert differing([compare], cfg, changed(reference, file, array, at_largest(2 * tolerance))) == [name]


@pytest.mark.parametrize(
    'array,place,name',
    [
        ('teacher_boxes', (0, 0, 1), 'boxes in the teacher views'),
        ('teacher_boxes', (6, 1, 3), 'boxes in the teacher views'),
        ('student_boxes', (0, 1, 0), 'boxes in the student views'),
        ('student_boxes', (6, 3, 1), 'boxes in the student views'),
    ],
)
def test_boxes_are_compared_in_pixels(array, place, name, cfg, reference):
    assert differing([box_quantities], cfg, changed(reference, 'boxes', array, by_pixels(place, 5e-4))) == []
    assert differing([box_quantities], cfg, changed(reference, 'boxes', array, by_pixels(place, 2e-3))) == [
        name,
        'boxes mapped back by the rotated pixels',
    ]


@pytest.mark.parametrize('column', range(4), ids=['total', 'crop', 'patch correspondence', 'rotation'])
def test_each_loss_of_the_steps_is_compared(column, cfg, reference):
    def change(losses):
        losses[:, column] *= 1 + 2e-6
        return losses

    assert differing([step_quantities], cfg, changed(reference, 'train_steps', 'losses', change)) == [
        'training steps: losses'
    ]


def one_percent(values):
    return values * 1.01


def three_quarters(angles):
    return (angles + 270) % 360


def one_more(count):
    return count + 1


def half(count):
    return count / 2


INPUTS = [
    ([box_quantities], 'boxes', 'crop_boxes', lambda boxes: boxes * torch.tensor([1.0, 1.0, 1.01, 1.0])),
    ([box_quantities], 'boxes', 'angles', three_quarters),
    *(
        ([loss_quantities], 'losses', array, change)
        for array, change in (
            ('student_global', torch.exp),
            ('student_local', torch.exp),
            ('teacher_global', torch.exp),
            ('teacher_boxes', one_percent),
            ('student_boxes', one_percent),
            ('angles', lambda angles: torch.cat([three_quarters(angles[:1]), angles[1:]])),
        )
    ),
    *(([step_quantities], 'tiny_model', f'view{view}', one_percent) for view in range(5)),
    *(
        ([stored_output_quantities], 'tiny_model', array, change)
        for array, change in (
            ('student_tokens_global', one_percent),
            ('student_tokens_local', one_percent),
            ('angles', three_quarters),
            ('student_out_global', torch.exp),
            ('student_out_local', torch.exp),
            ('teacher_out_global', torch.exp),
            ('teacher_boxes', one_percent),
            ('student_boxes', one_percent),
        )
    ),
    ([net_quantities], 'tiny_model', 'num_heads', half),
    *(
        ([step_quantities], 'train_steps', array, one_percent)
        for array in ('lr', 'weight_decay', 'momentum', 'clip', 'pc_weight', 'rotation_weight')
    ),
    *(
        ([schedule_quantities], 'schedules', array, one_more)
        for array in ('iters_per_epoch', 'epochs', 'warmup_epochs', 'batch_size')
    ),
    *(
        ([schedule_quantities], 'schedules', array, one_percent)
        for array in ('base_lr', 'min_lr', 'weight_decay_start', 'weight_decay_end')
    ),
    ([schedule_quantities], 'schedules', 'momentum_start', lambda start: start - 1e-3),
]


@pytest.mark.parametrize('compare,file,array,change', INPUTS, ids=value_id)
def test_every_input_is_taken_from_the_set(compare, file, array, change, cfg, reference):
    assert differing(compare, cfg, changed(reference, file, array, change))


def test_no_array_is_left_out_here(reference):
    seen = {(file, array.split('/')[0]) for _, file, array, *_ in (*RELATIVE, *INPUTS)}
    seen |= {('boxes', 'teacher_boxes'), ('boxes', 'student_boxes'), ('tiny_model', 'patch_size')}
    files = ('boxes', 'losses', 'tiny_model', 'train_steps', 'schedules')
    assert seen == {(file, array.split('/')[0]) for file in files for array in getattr(reference, file)}


@pytest.mark.parametrize(
    'weight',
    [
        'base_encoder.blocks.2.attn.proj.weight',
        'momentum_encoder.pos_embed',
        'base_projector.proj.weight',
        'momentum_projector.blocks.1.0.weight',
        'base_predictor.blocks.0.0.weight',
        'rot_predictor.6.weight',
    ],
)
def test_every_part_of_the_checkpoint_is_used(weight, cfg, reference):
    weights = {**reference.weights, weight: reference.weights[weight] * 1.01}
    assert differing(NET, cfg, replace(reference, weights=weights))


@pytest.mark.parametrize(
    'file,array',
    [
        ('boxes', 'crop_boxes'),
        ('boxes', 'teacher_boxes'),
        ('losses', 'crop_loss'),
        ('losses', 'student_local'),
        ('tiny_model', 'view0'),
        ('train_steps', 'lr'),
        ('schedules', 'lr'),
        ('schedules', 'base_lr'),
    ],
)
def test_nan_never_holds(file, array, cfg, reference):
    """Reading refuses stored NaNs; here they stand for NaNs that a comparison computes."""

    def corrupt(values):
        values.view(-1)[-6 % values.numel()] = math.nan
        return values

    corrupted = changed(reference, file, array, corrupt)
    try:
        quantities = list(check_parity(cfg, corrupted))
    except UserError as error:  # a hook that checks its arguments
        assert 'nan' in str(error)
    else:
        assert not all(quantity.holds for quantity in quantities)


def test_a_transform_that_turns_the_pixels_the_other_way_is_detected(cfg, reference, monkeypatch):
    right = RandomQuarterTurns.transform

    def wrong(self, results):
        before = [view for view, _ in results['views']]
        results = right(self, results)
        results['views'] = [
            (np.rot90(view, -record.turn).copy(), record)
            for view, (_, record) in zip(before, results['views'], strict=True)
        ]
        return results

    monkeypatch.setattr(RandomQuarterTurns, 'transform', wrong)
    assert differing([box_quantities], cfg, reference) == ['boxes mapped back by the rotated pixels']


def test_relative_difference():
    assert relative_difference([1.0, 2.0], [1.0, 4.0]) == 0.5
    assert relative_difference([0.0, 0.0], [0.0, 0.0]) == 0
    assert relative_difference([0.0, 1e-30], [0.0, 0.0]) == math.inf
    assert relative_difference([1.0, 2.0], [1.0]) == math.inf
    assert relative_difference([math.nan, 1.0], [1.0, 1.0]) == relative_difference([1.0], [math.nan]) == math.inf


def test_a_quantity_holds_up_to_its_tolerance():
    assert Quantity('a', 1e-3, 1e-3).holds and not Quantity('a', 1.1e-3, 1e-3).holds
    assert not Quantity('a', math.nan, 1e-3).holds and Quantity('a', 7.0, None).holds
