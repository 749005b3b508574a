import torch

from mmssl_geo.models import MultiViewDataPreprocessor


def test_view_major_order_and_normalisation():
    batch, num_global, num_local = 3, 2, 4
    label = torch.arange(batch)[:, None] + 10 * torch.arange(num_global + num_local)[None]
    images = label[..., None, None, None].expand(-1, -1, 3, 8, 8).to(torch.uint8)
    data = dict(
        inputs={'global': images[:, :num_global], 'local': images[:, num_global:, :, :4, :4]},
        crop_boxes_src=torch.rand(batch, 6, 4), turns=torch.randint(4, (batch, 6)),
        flipped=torch.zeros(batch, 6).bool(), img_path=['a', 'b', 'c'])
    preprocessor = MultiViewDataPreprocessor(mean=(1., 2., 3.), std=(2., 4., 8.))
    views = preprocessor(data)['views']
    assert views.global_images.shape == (6, 3, 8, 8) and views.local_images.shape == (12, 3, 4, 4)
    assert (views.batch_size, views.num_global, views.num_local) == (3, 2, 4)
    expected = label.t().flatten().float()
    for kind, part in (('global', expected[:6]), ('local', expected[6:])):
        for channel, (mean, std) in enumerate(((1, 2), (2, 4), (3, 8))):
            assert torch.equal(views.images()[kind][:, channel, 0, 0], (part - mean) / std)


def test_statistics_are_not_saved():
    assert MultiViewDataPreprocessor().state_dict() == {}
