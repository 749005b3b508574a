"""Records of views, and batches of views."""

from .region_batch import RegionBatch
from .view_batch import PairGroup, ViewBatch
from .view_record import RECORD_FIELDS, StackedRecords, ViewRecord, stack_records

__all__ = ['RECORD_FIELDS', 'PairGroup', 'RegionBatch', 'StackedRecords', 'ViewBatch', 'ViewRecord', 'stack_records']
