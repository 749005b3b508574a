"""Generated scenes of several objects with COCO instances and semantic maps. Needs no OpenMMLab package."""

from .baseline import best_constant_miou
from .options import CLASSES, SceneOptions
from .scene import Scene, make_scene
from .writer import write_scenes

__all__ = ['CLASSES', 'Scene', 'SceneOptions', 'best_constant_miou', 'make_scene', 'write_scenes']
