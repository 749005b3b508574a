"""iNaturalist, read from its json files."""

import json
import os
from typing import Any

from mmpretrain.datasets import BaseDataset

from mmssl_geo.registry import DATASETS
from mmssl_geo.utils.errors import UserError

REQUIRED_KEYS = dict(images={'id', 'file_name'}, annotations={'image_id', 'category_id'}, categories={'id', 'name'})


@DATASETS.register_module()
class INaturalist(BaseDataset):
    """Images with one label each, as the iNaturalist competitions publish them.

    `data_root` contains `train2019.json`, `val2019.json` and the images that they name
    (`train_val2019/<super category>/<category id>/*.jpg`). The classes are the file's categories, sorted by id.

    Args:
        ann_file: Json file with COCO's lists `images`, `annotations` and `categories`, relative to `data_root`.
        **kwargs: Arguments of `mmpretrain.BaseDataset`.

    Raises:
        UserError: If the file is not such a file, an image has no label, or a label has no category.
    """

    def load_data_list(self) -> list[dict[str, Any]]:
        """Returns one dict of `img_path` and `gt_label` for each image, in the file's order."""
        content = self._read()
        categories = sorted(content['categories'], key=lambda category: category['id'])
        self._metainfo['classes'] = tuple(str(category['name']) for category in categories)
        index_of = {category['id']: index for index, category in enumerate(categories)}
        category_of = {entry['image_id']: entry['category_id'] for entry in content['annotations']}
        if not content['images']:
            raise UserError(f'{self.ann_file}: it names no image; use the json file of the whole split')
        unlabelled = [image['file_name'] for image in content['images'] if image['id'] not in category_of]
        if unlabelled:
            raise UserError(
                f'{self.ann_file}: {len(unlabelled)} of {len(content["images"])} images have no annotation '
                f'(the first: {unlabelled[0]})'
            )
        unknown = sorted(set(category_of.values()) - set(index_of))
        if unknown:
            raise UserError(f'{self.ann_file}: annotations name categories that are not listed: {unknown[:5]}')
        return [
            dict(
                img_path=os.path.join(self.img_prefix, image['file_name']), gt_label=index_of[category_of[image['id']]]
            )
            for image in content['images']
        ]

    def _read(self) -> dict[str, list[dict[str, Any]]]:
        try:
            with open(self.ann_file, encoding='utf-8') as file:
                content = json.load(file)
        except ValueError as error:
            raise UserError(f'{self.ann_file}: cannot be read as json ({error})') from error
        for name, keys in REQUIRED_KEYS.items():
            entries = content.get(name) if isinstance(content, dict) else None
            if not isinstance(entries, list) or not all(isinstance(e, dict) and keys <= set(e) for e in entries):
                raise UserError(
                    f'{self.ann_file}: needs a list `{name}` of entries with {", ".join(sorted(keys))}; '
                    'use train2019.json or val2019.json of iNaturalist (the test split has no labels)'
                )
        return content
