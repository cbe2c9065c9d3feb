"""Photographs that are in a data set twice: the same file, the same pixels, near copies and mirrored copies."""

from __future__ import annotations

from imgcls.eda.duplicates.finding import find_pairs
from imgcls.eda.duplicates.signature import signature

__all__ = ["find_pairs", "signature"]
