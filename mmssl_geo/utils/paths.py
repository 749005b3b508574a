"""Location of `configs/` and `tools/`, in a checkout or in the installed package."""

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def resource_root() -> Path:
    """Returns the folder that holds `configs/` and `tools/`."""
    installed = _PACKAGE / '.mim'
    return installed if installed.is_dir() else _PACKAGE.parent
