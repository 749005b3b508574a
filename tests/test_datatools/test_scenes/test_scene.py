import numpy as np
import pytest

from mmssl_geo.datatools.scenes import CLASSES, SceneOptions, make_scene
from mmssl_geo.datatools.scenes.scene import MIN_VISIBLE, _drop_hidden, _Object, _place
from mmssl_geo.datatools.scenes.shapes import polygon_distance, signed_distance
from mmssl_geo.utils.errors import UserError

RICH = SceneOptions(size=96, seed=3, classes=len(CLASSES), objects=(5, 9), radius=(0.06, 0.25), clutter=0.8)


def test_scene_is_a_function_of_seed_split_and_index():
    scene = make_scene(RICH, 0, 4)
    again = make_scene(RICH, 0, 4)
    np.testing.assert_array_equal(scene.image, again.image)
    np.testing.assert_array_equal(scene.instances, again.instances)
    assert scene.labels == again.labels
    other_seed = SceneOptions(**{**RICH.__dict__, 'seed': 4})
    for other in (make_scene(RICH, 0, 5), make_scene(RICH, 1, 4), make_scene(other_seed, 0, 4)):
        assert not np.array_equal(scene.image, other.image)


@pytest.mark.parametrize('options', [SceneOptions(), RICH, SceneOptions(size=33, radius=(0.2, 0.5), objects=(1, 1))])
def test_every_object_is_seen_and_the_semantic_map_follows_the_instances(options):
    for index in range(8):
        scene = make_scene(options, 0, index)
        assert scene.image.shape == (options.size, options.size, 3) and scene.image.dtype == np.uint8
        assert sorted(np.unique(scene.instances[scene.instances > 0])) == list(range(1, len(scene.labels) + 1))
        assert 1 <= len(scene.labels) <= options.objects[1]
        for number, label in enumerate(scene.labels, start=1):
            assert (scene.semantic[scene.instances == number] == label).all()
        assert (scene.semantic[scene.instances == 0] == 0).all()


def test_consecutive_scenes_show_every_class_in_front():
    fronts = [make_scene(RICH, 0, index).labels[-1] for index in range(2 * RICH.classes)]
    assert fronts == list(range(1, RICH.classes + 1)) * 2


def test_masks_lie_where_the_objects_are_painted():
    """Calm backgrounds are greyish, objects are not: the mask has to separate the two."""
    options = SceneOptions(size=64, classes=1, objects=(1, 1), radius=(0.2, 0.3), clutter=0.0)
    for index in range(6):
        scene = make_scene(options, 0, index)
        image = scene.image.astype(int)
        saturation = image.max(-1) - image.min(-1)
        inside = scene.instances > 0
        assert saturation[inside].mean() > 1.5 * saturation[~inside].mean()


def test_objects_do_hide_each_other():
    """In a good part of the default scenes, a visible part is smaller than the object's own part of the image."""
    options = SceneOptions()
    overlapping = 0
    for index in range(60):
        rng = np.random.default_rng([options.seed, 0, index])
        objects = _place(rng, options, front_label=index % options.classes + 1)
        objects, masks = _drop_hidden(objects, [o.distance() <= 0 for o in objects], options.size)
        scene = make_scene(options, 0, index)
        assert scene.labels == tuple(o.label for o in objects)
        own = [mask[o.windows(mask.shape, options.size)[1]].sum() for o, mask in zip(objects, masks, strict=True)]
        seen = np.bincount(scene.instances.ravel(), minlength=len(objects) + 1)[1:]
        assert (seen <= own).all() and seen[-1] == own[-1]
        assert all(part >= MIN_VISIBLE * mask.sum() for part, mask in zip(seen, masks, strict=True))
        overlapping += (seen < own).any()
    assert 15 <= overlapping <= 55


def test_nearly_hidden_object_is_left_out():
    big = _Object(1, (32.0, 32.0), 20.0, 0.0, 1.0, 0)
    small = _Object(2, (34.0, 32.0), 6.0, 0.0, 1.0, 0)
    for order, expected in ([(small, big), [big]], [(big, small), [big, small]]):
        objects, masks = _drop_hidden(list(order), [o.distance() <= 0 for o in order], 64)
        assert objects == expected and len(masks) == len(expected)


@pytest.mark.parametrize('name', CLASSES)
@pytest.mark.parametrize('aspect', [0.7, 1.4])
def test_signed_distance_fits_the_unit_circle_and_has_unit_slope(name, aspect):
    axis = np.linspace(-1.3, 1.3, 261)
    x, y = np.meshgrid(axis, axis)
    distance = signed_distance(name, aspect, x, y)
    assert (distance[np.hypot(x, y) > 1.01] > 0).all()
    assert 0.15 < (distance < 0).mean() * 2.6**2 / np.pi <= 1.01  # share of the circle
    steps = np.abs(np.diff(distance, axis=1)) / (axis[1] - axis[0])
    assert steps.max() <= 1 + 1e-6


def test_polygon_distance_of_a_square_is_exact():
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], float)
    x, y = np.array([0.0, 0.5, 2.0, 2.0, -1.5]), np.array([0.0, 0.0, 0.0, 2.0, 0.3])
    np.testing.assert_allclose(polygon_distance(x, y, square), [-1.0, -0.5, 1.0, np.sqrt(2), 0.5])


@pytest.mark.parametrize(
    'settings, sentence',
    [
        (dict(size=31), 'size is 31; choose 32 to 4096'),
        (dict(size=4097), 'size is 4097'),
        (dict(seed=-1), 'seed is -1'),
        (dict(classes=0), 'classes is 0; choose 1 to 6'),
        (dict(classes=7), 'classes is 7'),
        (dict(objects=(3, 2)), 'objects is 3 to 2'),
        (dict(objects=(0, 2)), 'objects is 0 to 2'),
        (dict(radius=(0.3, 0.2)), 'radius is 0.3 to 0.2'),
        (dict(radius=(0.2, 0.6)), 'radius is 0.2 to 0.6'),
        (dict(size=64, radius=(0.05, 0.2)), 'below 4 pixels'),
        (dict(clutter=1.5), 'clutter is 1.5'),
        (dict(clutter=float('nan')), 'clutter is nan'),
    ],
)
def test_impossible_settings_are_refused(settings, sentence):
    with pytest.raises(UserError, match=sentence):
        SceneOptions(**settings)
