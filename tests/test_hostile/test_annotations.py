"""Annotations that almost fit are refused by name; valid ones pass."""

import contextlib
import io

import pytest

from mmssl_geo.annotations import annotation_problems
from mmssl_geo.annotations.coco import forget_files
from tests.support.hostile_annotations import hostile_cases
from tests.support.labelled_drafts import make_draft

pytestmark = [pytest.mark.hostile]
MIN_REFUSED, MIN_VALID = 230, 38


def test_every_data_set_is_treated_as_expected(tmp_path, capsys):
    wrong, refused, valid = [], 0, 0
    for number, case in enumerate(hostile_cases()):
        with contextlib.redirect_stdout(io.StringIO()):
            draft = make_draft(case, tmp_path / 'templates', tmp_path / str(number))
            problems = annotation_problems(draft.cfg)
        forget_files()
        refused += case.message is not None
        valid += case.message is None
        fits = case.message in problems[0] if case.message and problems else case.message is None and not problems
        if not fits:
            wrong.append(f'{case.kind}, {case.name}: expected {case.message!r}, got {problems}')
    with capsys.disabled():
        print(
            f'\nannotations: {refused} data sets that almost fit and {valid} valid ones, {len(wrong)} not as expected'
        )
    assert not wrong, '\n'.join(wrong)
    assert refused >= MIN_REFUSED and valid >= MIN_VALID
