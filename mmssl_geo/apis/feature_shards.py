"""A folder of features in shards of consecutive images, each written atomically."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

from mmssl_geo.datasets.image_reading import printable
from mmssl_geo.datasets.regions_file import save_arrays
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.io import write_json

SETTINGS, UNREADABLE = 'settings.json', 'unreadable.txt'
METADATA = 'mmssl_geo_features'  # a single key: safetensors writes several keys in random order


class FeatureShards:
    """A folder of features. Shard k holds images k * size to (k + 1) * size - 1, except for unreadable ones.

    `features_00000.safetensors`, ...: arrays (see `FeatureExtractor`) and, in the metadata `mmssl_geo_features`, a JSON
    object with `names`, one per row, and `unreadable`, pairs of name and reason. `settings.json` holds the settings
    that the features were made with.

    Args:
        folder: Folder: new, empty, or begun with the same settings.
        settings: Plain values, with `num_images` and `shard_size`.

    Raises:
        UserError: If the folder holds other files, or was begun with other settings.
    """

    def __init__(self, folder: str | Path, settings: Mapping[str, Any]) -> None:
        self.folder = Path(folder)
        self.num_images, self.shard_size = settings['num_images'], settings['shard_size']
        if self.folder.is_file():
            raise UserError(f'{folder} is a file: name a folder')
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f'cannot write to {folder}: {error.strerror}; name another folder') from error
        if not self._is_begun(settings):
            write_json(self.folder / SETTINGS, settings)

    def _is_begun(self, settings: Mapping[str, Any]) -> bool:
        """Returns whether the folder was begun with these settings."""
        path = self.folder / SETTINGS
        if not path.exists():
            if any(not other.name.startswith('.') for other in self.folder.iterdir()):  # hidden: an interrupted write
                raise UserError(f'{self.folder} holds other files and no {SETTINGS}: name a new folder')
            return False
        try:
            before = json.loads(path.read_text(encoding='utf-8'))
        except ValueError:
            before = None
        if not isinstance(before, dict):
            raise UserError(f'{path} was not written by this tool: name a new folder')
        differing = [key for key in {**settings, **before} if before.get(key) != settings.get(key)]
        if differing:
            key = differing[0]
            raise UserError(
                f'{self.folder} was begun with other settings ({key}: {before.get(key)}, now {settings.get(key)}): '
                'name a new folder, or remove it'
            )
        return True

    @property
    def count(self) -> int:
        """Number of shards, written or not."""
        return -(-self.num_images // self.shard_size)

    def path(self, number: int) -> Path:
        """Returns the path of a shard."""
        return self.folder / f'features_{number:05}.safetensors'

    def images(self, number: int) -> range:
        """Returns the indices of a shard's images."""
        return range(number * self.shard_size, min((number + 1) * self.shard_size, self.num_images))

    def unreadable(self, number: int) -> set[str]:
        """Returns the names of the unreadable images of a written shard."""
        return {name for name, _ in self._metadata(number)['unreadable']}

    def write(
        self,
        number: int,
        parts: Sequence[Mapping[str, NDArray]],
        names: Sequence[str],
        unreadable: Sequence[tuple[str, str]],
    ) -> None:
        """Writes a shard.

        Args:
            number: Index of the shard.
            parts: Arrays of consecutive batches.
            names: Names of the images, one per row.
            unreadable: Name of each unreadable image and the reason.
        """
        arrays = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
        save_arrays(self.path(number), arrays, {METADATA: json.dumps(dict(names=names, unreadable=unreadable))})

    def finish(self) -> tuple[int, list[str]]:
        """Writes `unreadable.txt`, one line 'name: reason' per unreadable image.

        Returns:
            Number of images with features, and the lines.

        Raises:
            UserError: If no image is readable.
        """
        count, lines = 0, []
        for number in range(self.count):
            images = self._metadata(number)
            count += len(images['names'])
            lines += [f'{printable(name)}: {reason}' for name, reason in images['unreadable']]
        if not count:
            raise UserError(f'none of the {self.num_images} images can be read, the first is {lines[0]}')
        text = ''.join(f'{line}\n' for line in lines)
        (self.folder / UNREADABLE).write_text(text, encoding='utf-8')
        return count, lines

    def _metadata(self, number: int) -> dict[str, Any]:
        with safe_open(self.path(number), framework='numpy') as file:
            return json.loads(file.metadata()[METADATA])
