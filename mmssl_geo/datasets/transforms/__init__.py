from .multi_crop import MultiCrop
from .pack_views import PackViews
from .photometric import RandomViewPhotometrics
from .quarter_turns import RandomQuarterTurns

__all__ = ['MultiCrop', 'PackViews', 'RandomQuarterTurns', 'RandomViewPhotometrics']
