"""Known data sets, and comparison of a folder with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_prep.catalogue.known import DataSet, data_sets
from dfsearch.arguments import StrPath, to_path

if TYPE_CHECKING:
    from data_prep.catalogue.check import Check

__all__ = ["DataSet", "check_dataset", "datasets"]


def datasets() -> tuple[DataSet, ...]:
    """Return facts about the data sets that ``prepare`` recognises.

    Returns:
        One row a data set, with ``name``, ``summary``, ``tree``, ``licence``, ``ask``, ``size``,
        ``people``, ``splits``, ``pitfalls``, ``unverified`` and ``counts``.

    Example:
        >>> import dfsearch
        >>> [known.name for known in dfsearch.datasets() if "FaceForensics" in known.name]
        ['FaceForensics++']
    """
    return data_sets()


def check_dataset(folder: StrPath, *, layout: str = "auto") -> Check:
    """Compare a folder with the official lists of its data set and the published counts.

    Videos are not opened.

    Args:
        folder: Folder of the data set.
        layout: Name of its layout; ``auto`` recognises it.

    Returns:
        The result: ``counts`` with ``method``, ``videos`` and ``published``; the names of
        ``missing``, ``extra`` and ``mislabelled`` videos; ``whole``; ``to_json()``.

    Raises:
        DfsearchError: The folder does not exist, has no known layout or no video, or a list in it
            is damaged.

    Example:
        >>> import dfsearch
        >>> dfsearch.check_dataset("videos").whole
        True
    """
    from data_prep.catalogue.check import check

    return check(to_path(folder), layout)
