from .collapse import effective_rank, feature_spread

__all__ = ['effective_rank', 'feature_spread']
