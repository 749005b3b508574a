"""What is known of a view, and of a batch of views."""
from .region_batch import RegionBatch
from .view_batch import PairGroup, ViewBatch
from .view_record import ViewRecord

__all__ = ['PairGroup', 'RegionBatch', 'ViewBatch', 'ViewRecord']
