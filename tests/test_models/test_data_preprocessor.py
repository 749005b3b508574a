import numpy as np
import torch

from mmssl_geo.augment import PhotometricParams, augment_view
from mmssl_geo.models import MultiViewDataPreprocessor


def test_view_major_order_and_normalisation():
    batch, num_global, num_local = 3, 2, 4
    label = torch.arange(batch)[:, None] + 10 * torch.arange(num_global + num_local)[None]
    images = label[..., None, None, None].expand(-1, -1, 3, 8, 8).to(torch.uint8)
    data = dict(
        inputs={'global': images[:, :num_global], 'local': images[:, num_global:, :, :4, :4]},
        crop_boxes_src=torch.rand(batch, 6, 4),
        turns=torch.randint(4, (batch, 6)),
        flipped=torch.zeros(batch, 6).bool(),
        img_path=['a', 'b', 'c'],
    )
    preprocessor = MultiViewDataPreprocessor(mean=(1.0, 2.0, 3.0), std=(2.0, 4.0, 8.0))
    views = preprocessor(data)['views']
    assert views.global_images.shape == (6, 3, 8, 8) and views.local_images.shape == (12, 3, 4, 4)
    assert (views.batch_size, views.num_global, views.num_local) == (3, 2, 4)
    expected = label.t().flatten().float()
    for kind, part in (('global', expected[:6]), ('local', expected[6:])):
        for channel, (mean, std) in enumerate(((1, 2), (2, 4), (3, 8))):
            assert torch.equal(views.images()[kind][:, channel, 0, 0], (part - mean) / std)


def test_statistics_are_not_saved():
    assert MultiViewDataPreprocessor().state_dict() == {}


def test_each_view_gets_its_own_augmentation():
    """Each view of each image has its own brightness; the views keep their places."""
    rng = np.random.default_rng(0)
    views = rng.integers(0, 256, (2, 3, 8, 8, 3), dtype=np.uint8)  # two images, two global views and a local one
    draws = [
        [PhotometricParams((('brightness', 0.3 + 0.1 * (3 * image + view)),), False, 0.0) for view in range(3)]
        for image in range(2)
    ]
    tensors = torch.from_numpy(views).permute(0, 1, 4, 2, 3)
    data = dict(
        inputs={'global': tensors[:, :2], 'local': tensors[:, 2:]},
        crop_boxes_src=torch.zeros(2, 3, 4),
        turns=torch.zeros(2, 3).long(),
        flipped=torch.zeros(2, 3).bool(),
        photometric_params=torch.from_numpy(np.array([[draw.row() for draw in row] for row in draws])),
    )
    batch = MultiViewDataPreprocessor(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))(data)['views']
    got = torch.cat([batch.global_images, batch.local_images]).permute(0, 2, 3, 1).numpy()
    places = [(image, view) for view in range(3) for image in range(2)]  # view-major
    expected = np.stack([augment_view(views[image, view], draws[image][view]) for image, view in places])
    assert np.abs(got - expected).max() <= 1
