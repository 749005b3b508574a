"""Packaging. The wheel has `configs/`, `tools/` and `model-index.yml` in `mmssl_geo/.mim/`, where mim looks."""
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent


class BuildWithMim(build_py):
    """Copies `configs/`, `tools/` and `model-index.yml` into the built package."""

    def run(self):
        super().run()
        if self.editable_mode:
            return
        mim = Path(self.build_lib) / 'mmssl_geo' / '.mim'
        shutil.rmtree(mim, ignore_errors=True)
        for folder in ('configs', 'tools'):
            shutil.copytree(HERE / folder, mim / folder, ignore=shutil.ignore_patterns('__pycache__'))
        shutil.copy(HERE / 'model-index.yml', mim)


def version():
    """Reads the version without importing the package."""
    scope = {}
    exec((HERE / 'mmssl_geo' / 'version.py').read_text(), scope)
    return scope['__version__']


setup(
    name='mmssl_geo',
    version=version(),
    description='Geometry-sensitive self-supervised pretraining on scenes, for OpenMMLab',
    long_description=(HERE / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10,<3.13',
    packages=find_packages(include=['mmssl_geo', 'mmssl_geo.*']),
    # The OpenMMLab packages are left to the user: the original distributions and their maintained forks share their
    # import names, and `mmssl_geo.utils.versions` says what is missing or too old.
    install_requires=[
        'torch>=2.1', 'torchvision>=0.16', 'numpy>=1.24,<3', 'pillow>=10', 'scipy>=1.10', 'matplotlib>=3.7',
        'safetensors>=0.4', 'pycocotools>=2.0.7'
    ],
    extras_require={
        'timm': ['timm>=1.0'], 'onnx': ['onnx>=1.15', 'onnxruntime>=1.17'], 'tests': ['pytest>=7.4', 'ruff>=0.6']},
    cmdclass={'build_py': BuildWithMim})
