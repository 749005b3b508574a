from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmssl_geo.evaluation.images import list_images, read_some
from mmssl_geo.utils.errors import UserError


@pytest.fixture
def photos(tmp_path):
    """Twelve images, each of one grey value: its number."""
    folder = tmp_path / 'photos'
    (folder / 'below').mkdir(parents=True)
    for number in range(12):
        place = folder / 'below' if number % 2 else folder
        Image.fromarray(np.full((4, 5), number, dtype=np.uint8)).save(place / f'{number:02d}.png')
    return folder


def grey(images):
    return sorted(int(image[0, 0, 0]) for image in images)


def test_a_folder_is_searched_with_all_below(photos):
    assert sorted(path.name for path in list_images(photos)) == [f'{number:02d}.png' for number in range(12)]
    assert all(path.is_file() for path in list_images(photos))


def test_a_list_names_paths_from_its_own_folder(photos):
    names = [f'{n:02d}.png' for n in range(0, 12, 2)] + ['below/01.png', str(photos / 'below' / '03.png')]
    (photos / 'list.txt').write_text('\n'.join(names))
    images, unreadable = read_some(list_images(photos / 'list.txt'), 20)
    assert grey(images) == [0, 1, 2, 3, 4, 6, 8, 10] and not unreadable


def test_images_are_chosen_by_the_seed(photos):
    paths = list_images(photos)
    chosen = [grey(read_some(paths, 8, seed)[0]) for seed in (0, 0, 1, 2)]
    assert chosen[0] == chosen[1] and len(set(map(tuple, chosen))) == 3
    assert all(len(set(values)) == 8 for values in chosen)


def test_others_take_the_place_of_unreadable_images(photos):
    for number in (0, 2, 4):
        (photos / f'{number:02d}.png').write_bytes(b'no image')
    images, unreadable = read_some(list_images(photos), 20)
    assert grey(images) == [1, 3, 5, 6, 7, 8, 9, 10, 11]
    assert sorted(Path(error.path).name for error in unreadable) == ['00.png', '02.png', '04.png']
    for seed in range(4):
        assert len(read_some(list_images(photos), 8, seed)[0]) == 8


def test_too_few_or_none_are_refused(photos, tmp_path):
    with pytest.raises(UserError, match='no such folder'):
        list_images(tmp_path / 'nowhere')
    with pytest.raises(UserError, match='no such folder or .txt list'):
        list_images(photos / '00.png')
    (tmp_path / 'list.txt').write_text('a.png\n')
    with pytest.raises(UserError, match=r'1 images found \(extensions .jpg.*at least 8'):
        list_images(tmp_path / 'list.txt')
    (tmp_path / 'list.txt').write_text('\n'.join(f'{n}.png' for n in range(9)))
    with pytest.raises(UserError, match='only 0 of 9 images can be read, at least 8.*No such file'):
        read_some(list_images(tmp_path / 'list.txt'), 9)
