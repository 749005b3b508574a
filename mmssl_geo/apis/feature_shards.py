"""A folder of features: shards of consecutive images, each whole or not there, and what they were made with."""
import json
from pathlib import Path

import numpy as np
from safetensors import safe_open

from mmssl_geo.datasets.regions_file import save_arrays
from mmssl_geo.utils.errors import UserError

SETTINGS, UNREADABLE = 'settings.json', 'unreadable.txt'
METADATA = 'mmssl_geo_features'  # one key: safetensors writes several in random order


class FeatureShards:
    """Shard k has the images k * size to (k + 1) * size - 1, without those that cannot be read.

    `features_00000.safetensors`, ...: arrays (see `FrozenFeatures`), and in the metadata `mmssl_geo_features`, a
    json object of `names`, of the images, one a row, and `unreadable`, pairs of name and reason. `settings.json` says
    what they were made with.

    Args:
        folder: new, empty, or begun with the same settings.
        settings: dict of plain values, with `num_images` and `shard_size`.

    Raises:
        UserError: the folder holds something else, or was begun with other settings.
    """

    def __init__(self, folder, settings):
        self.folder = Path(folder)
        self.num_images, self.shard_size = settings['num_images'], settings['shard_size']
        if self.folder.is_file():
            raise UserError(f'{folder} is a file: name a folder')
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not self._begun(settings):
                (self.folder / SETTINGS).write_text(json.dumps(settings, indent=1), encoding='utf-8')
        except OSError as error:
            raise UserError(f'cannot write to {folder}: {error.strerror}; name another folder') from error

    def _begun(self, settings):
        """Whether the folder was begun with these settings."""
        path = self.folder / SETTINGS
        if not path.exists():
            if any(self.folder.iterdir()):
                raise UserError(f'{self.folder} holds other files and no {SETTINGS}: name a new folder')
            return False
        try:
            before = json.loads(path.read_text(encoding='utf-8'))
        except ValueError:  # a kill while it was written: there are no shards yet
            return False
        if not isinstance(before, dict):
            raise UserError(f'{path} is not of this tool: name a new folder')
        differing = [key for key in {**settings, **before} if before.get(key) != settings.get(key)]
        if differing:
            key = differing[0]
            raise UserError(f'{self.folder} was begun with other settings ({key}: {before.get(key)}, now '
                            f'{settings.get(key)}): name a new folder, or remove it')
        return True

    def path(self, number):
        """Path of a shard."""
        return self.folder / f'features_{number:05}.safetensors'

    @property
    def count(self):
        """Number of shards, written or not."""
        return -(-self.num_images // self.shard_size)

    def unreadable(self, number):
        """Names of a written shard's images that could not be read."""
        return {name for name, _ in self._names(number)['unreadable']}

    def _names(self, number):
        with safe_open(self.path(number), framework='numpy') as file:
            return json.loads(file.metadata()[METADATA])

    def images(self, number):
        """Indices of a shard's images, as a range."""
        return range(number * self.shard_size, min((number + 1) * self.shard_size, self.num_images))

    def write(self, number, parts, names, unreadable):
        """Writes a shard from dicts of arrays, one after the other."""
        arrays = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
        save_arrays(self.path(number), arrays, {METADATA: json.dumps(dict(names=names, unreadable=unreadable))})

    def finish(self):
        """Gathers `unreadable.txt`, a line 'name: reason' each.

        Returns:
            tuple: number of images with features, list of the lines.

        Raises:
            UserError: no image could be read.
        """
        count, lines = 0, []
        for number in range(self.count):
            images = self._names(number)
            count += len(images['names'])
            lines += [f'{name}: {reason}' for name, reason in images['unreadable']]
        if not count:
            raise UserError(f'none of the {self.num_images} images can be read, the first is {lines[0]}')
        text = ''.join(f'{line}\n' for line in lines)
        (self.folder / UNREADABLE).write_text(text, encoding='utf-8', errors='surrogateescape')
        return count, lines
