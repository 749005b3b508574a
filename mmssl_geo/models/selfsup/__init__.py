"""Pretraining methods: each is a `StudentTeacher` with a `loss`."""

from .d3ssl import D3SSL
from .dino import DINO
from .gtsa import GTSA
from .patch_mixing import PatchMixing
from .student_teacher import StudentTeacher

__all__ = ['D3SSL', 'DINO', 'GTSA', 'PatchMixing', 'StudentTeacher']
