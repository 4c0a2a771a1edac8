"""Slices: Arrow tables of 8-bit images with known masks, made from NIfTI volumes, split by subject.

Importing this package is cheap: reading NIfTI (`core.slices.ingesting`) and drawing phantoms (`core.slices.phantom`)
are imported where they are used.
"""

from core.slices.layout import TableMetadata, VolumeSlices
from core.slices.split import require_disjoint, split_subjects
from core.slices.table import SliceTable, open_table, write_table
from core.slices.writing import TableWriter

__all__ = [
    "SliceTable",
    "TableMetadata",
    "TableWriter",
    "VolumeSlices",
    "open_table",
    "require_disjoint",
    "split_subjects",
    "write_table",
]
