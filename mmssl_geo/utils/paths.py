"""Where `configs/` and `tools/` lie: in the checkout, or inside the installed package."""
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def resource_root():
    """Folder that holds `configs/` and `tools/`."""
    installed = _PACKAGE / '.mim'
    return installed if installed.is_dir() else _PACKAGE.parent
