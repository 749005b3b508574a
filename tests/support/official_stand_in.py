"""A checkout that looks like the official GTSA repository, with the names and shapes that the benchmarks rely on."""

MODEL = """
import torch
from torch import nn


class GTSA(nn.Module):
    def __init__(self):
        super().__init__()
        self.net, self.teacher = nn.Conv2d(3, 4, 16, 16), nn.Conv2d(3, 4, 16, 16).requires_grad_(False)
        self.rotation = nn.Linear(4, 4)

    def base_MultiCropWrapper(self, x):
        return [self.net(torch.cat(x[:2])), self.net(torch.cat(x[2:]))]

    def momentum_MultiCropWrapper(self, x):
        return [self.teacher(torch.cat(x))]

    def roi_align(self, teacher, student, boxes):
        num_images, num_views = len(teacher[0]) // 2, len(boxes['angles'])
        assert boxes['gc'].shape == (num_images, 2, num_views, 4)
        assert boxes['all'].shape == (num_images, num_views, 2, 4)
        return (student[0] - teacher[0]).square().mean(), student[1].square().mean()

    def rot_predict(self, student, boxes):
        losses = []
        for angles in boxes['angles']:
            assert set(angles.tolist()) <= {0, 90, 180, 270}, angles
            angles /= 90  # the official code writes into them, too
            losses.append(nn.functional.cross_entropy(
                self.rotation(student[0].mean(dim=(2, 3))[:len(angles)]), angles.long()))
        return sum(losses)

    def _update_momentum_encoder(self, m):
        self.teacher.weight.data = m * self.teacher.weight + (1 - m) * self.net.weight

    def forward(self, x, boxes, m):
        student = self.base_MultiCropWrapper(x)
        self._update_momentum_encoder(m)
        teacher = self.momentum_MultiCropWrapper(x[:2])
        return *self.roi_align(teacher, student, boxes), self.rot_predict(student, boxes)


def gtsa_small(args):
    assert args.patch_size == 16
    return GTSA()
"""
MISC = """
def clip_gradients(model, clip):
    for param in model.parameters():
        if param.grad is not None:
            param.grad.clamp_(-clip, clip)
"""
SCHEDULE = """
def get_params_groups(model):
    return [dict(params=[param for param in model.parameters() if param.requires_grad])]
"""
VIEWS = """
import torch


class GTSATransforms:
    def __init__(self, sizes, numbers, smallest, largest):
        self.sizes = [size for size, number in zip(sizes, numbers) for _ in range(number)]

    def __call__(self, image):
        assert image.mode == 'RGB'
        count = len(self.sizes)
        boxes = dict(gc=torch.rand(2, count, 4), all=torch.rand(count, 2, 4),
                     angles=[torch.tensor(90., dtype=torch.float16)] * count)
        return [torch.rand(3, size, size) for size in self.sizes], boxes
"""
FILES = {
    'model_pretrain/gtsa.py': MODEL,
    'util/misc.py': MISC,
    'util/lr_sched.py': SCHEDULE,
    'util/gtsa_transforms.py': VIEWS,
}


def write_checkout(folder):
    """Writes the stand-in and returns its folder."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder
