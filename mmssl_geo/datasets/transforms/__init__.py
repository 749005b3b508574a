from .context_crop import ContextCrop
from .derive_view import AugmentView, DeriveView
from .foreground_shift import ForegroundShift
from .horizontal_flips import RandomHorizontalFlips
from .load_regions import GridRegions, LoadRegions
from .multi_crop import MultiCrop
from .pack_region_views import PackRegionViews
from .pack_views import PackViews
from .photometric import RandomViewPhotometrics
from .quarter_turns import RandomQuarterTurns
from .region_cutout import RegionCutout, TokenCutout
from .region_views import RegionViews
from .view_photometrics import ViewPhotometrics

__all__ = [
    'AugmentView', 'ContextCrop', 'DeriveView', 'ForegroundShift', 'GridRegions', 'LoadRegions', 'MultiCrop', 'PackRegionViews',
    'PackViews', 'RandomHorizontalFlips', 'RandomQuarterTurns', 'RandomViewPhotometrics', 'RegionCutout',
    'RegionViews', 'TokenCutout', 'ViewPhotometrics'
]
