"""Verification of a store: every promise of its format, checked against the files."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import json
import os
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
from joblib.externals.loky.process_executor import ProcessPoolExecutor

from data_prep.errors import UserError
from data_prep.store.annotations import check_annotations
from data_prep.store.format import (
    CHANNELS,
    FAKE,
    LARGEST_QUANTITY,
    MODALITIES,
    REAL,
    SCHEMA_VERSION,
    SPLITS,
    TEXT_FIELDS,
    clip_digest,
    compute_fingerprint,
)
from data_prep.store.hdf5 import open_hdf5
from data_prep.store.objects import ObjectError, check_attributes, check_objects
from data_prep.store.origins import check_origins
from data_prep.store.store import read_index, shard_paths
from data_prep.store.verify_report import (
    Problem,
    Report,
    find_dataset,
    has_shape,
    read_numbers,
    read_texts,
)
from data_prep.video.grey import with_grey
from data_prep.workers import follow_parent, start_safely

_MEDIA_NUMBERS = ("width", "height", "frames", "bytes", "fps", "duration")
_QUARANTINE = ("path", "step", "reason")

# A check that takes longer than these and the size over that many bytes a second has no end.
_LEAST_SECONDS, _SLOWEST = 60.0, 10e6


def verify(path: str | Path) -> list[Problem]:
    """Check a store, or a folder of shards, against its format and its own fingerprint.

    Frames and modalities are read clip by clip, so memory does not grow with the store. The
    fingerprint detects a changed byte in them and a changed key, label, group or split. A row is
    named if it is unreadable or if its grey does not match its colours. In fields outside the
    fingerprint, only impossible values are found.

    Args:
        path: the store.

    Returns:
        The problems in the order of the file; empty for a whole store.

    Raises:
        UserError: there is no store at the path, it is no HDF5 file, or is of another schema.
    """
    path = Path(path)
    index = read_index(path)
    report = Report()
    keys: list[str] = []
    digests: list[bytes] = []
    splits_of: dict[str, set[str]] = collections.defaultdict(set)
    overlap = 0
    shards = shard_paths(path, index)
    for number, shard in enumerate(shards):
        report.file = shard.name if index else ""
        checked = _check_file(shard, report)
        keys += checked.keys
        digests += checked.digests
        for group, split in zip(checked.groups, checked.splits, strict=False):
            splits_of[group].add(split)
        overlap = checked.overlap if number == 0 else overlap
        if index:
            _check_against_index(index["shards"][number], checked, report)
    report.file = ""
    if index and index.get("fingerprint") != compute_fingerprint(digests):
        report.add("index.json", "the fingerprint does not match the content")
    _check_keys(keys, report)
    _check_groups(splits_of, overlap, report)
    return report.problems


def verify_in_time(path: str | Path) -> list[Problem]:
    """Verify a store in a process of its own, which is stopped after a time limit.

    Some damage keeps the HDF5 library in an endless loop. The limit is a minute plus the time of
    reading the store at ten megabytes a second.

    Raises:
        UserError: as :func:`verify`, or the time has passed.
    """
    path = Path(path)
    files = path.glob("*.h5") if path.is_dir() else [path]
    size = sum(file.stat().st_size for file in files if file.is_file())
    # Unlike those of multiprocessing, its processes do not import the caller's script.
    executor = ProcessPoolExecutor(1, initializer=follow_parent, initargs=(os.getpid(),))
    try:
        with start_safely():
            verifying = executor.submit(verify, path)
        return verifying.result(_LEAST_SECONDS + size / _SLOWEST)
    except TimeoutError:
        raise UserError(f"{path} is damaged: reading it does not end; prepare it again") from None
    except BrokenProcessPool:
        raise UserError(
            f"{path} is damaged: the HDF5 library crashes on it; prepare it again"
        ) from None
    finally:
        executor.shutdown(kill_workers=True)


@dataclasses.dataclass
class _Checked:
    """Values that are compared across the files of a store."""

    keys: list[str] = dataclasses.field(default_factory=list)
    groups: list[str] = dataclasses.field(default_factory=list)
    splits: list[str] = dataclasses.field(default_factory=list)
    digests: list[bytes] = dataclasses.field(default_factory=list)
    fingerprint: str = ""
    overlap: int = 0


def _check_file(path: Path, report: Report) -> _Checked:
    checked = _Checked()
    if not os.path.lexists(path):
        report.add("", f"{path.name} is missing")
        return checked
    file = open_hdf5(path)
    try:
        with report.reading("attributes"):
            check_attributes(file)
            _check_attributes(path, file, checked, report)
        with report.reading("/"):
            # Values in other files, or larger than this one, are not read.
            check_objects(file)
            _check_content(file, checked, report)
    except ObjectError as refused:
        report.add(refused.where, refused.what)
    finally:
        with contextlib.suppress(Exception):
            file.close()
    return checked


def _check_attributes(path: Path, file: h5py.File, checked: _Checked, report: Report) -> None:
    version = file.attrs.get("schema_version")
    if version is None:
        raise UserError(f"{path} is an HDF5 file but not a store; make one with dfsearch prepare")
    if version != SCHEMA_VERSION:
        raise UserError(
            f"{path} has store schema {version}, this version reads {SCHEMA_VERSION}; "
            "prepare it again"
        )
    with report.reading("attribute fingerprint"):
        checked.fingerprint = str(file.attrs["fingerprint"])
    with report.reading("attribute preparation"):
        preparation = json.loads(file.attrs["preparation"])
        if not isinstance(preparation, dict):
            report.add("attribute preparation", "is not a JSON object")
            return
        split = preparation.get("split", {})
        checked.overlap = int(split.get("overlap", 0)) if isinstance(split, dict) else 0


def _check_content(file: h5py.File, checked: _Checked, report: Report) -> None:
    frames = find_dataset(file, "frames", report)
    if frames is None:
        return
    if frames.dtype != np.uint8 or frames.ndim != 5 or frames.shape[-1] != CHANNELS:
        report.add(
            "/frames",
            f"is {frames.dtype} {frames.shape}, expected uint8 (N, T, H, W, {CHANNELS})",
        )
        return
    count, times = len(frames), frames.shape[1]
    if not count:
        report.add("/frames", "holds no clip")
    labels = read_numbers(file, "label", (count,), "u", report)
    texts = {name: read_texts(file, f"clips/{name}", count, report) for name in TEXT_FIELDS}
    _check_labels(labels, texts["method"], report)
    if (splits := texts["split"]) is not None:
        report.add_rows(
            "/clips/split", ~np.isin(splits, SPLITS), f"is not one of {', '.join(SPLITS)}"
        )
        checked.splits = splits
    checked.keys, checked.groups = texts["key"] or [], texts["group"] or []
    _check_tracks(file, count, times, report)
    _check_tables(file, count, report)
    check_annotations(file, count, report)
    check_origins(file, count, report)
    _check_quarantine(file, report)
    arrays = [frames]
    for name in MODALITIES:
        if name not in file:
            continue
        array = find_dataset(file, name, report)
        if array is not None and has_shape(
            array, f"/{name}", (count, ...), "u" if name == "mask" else "f", report
        ):
            arrays.append(array)
    _check_arrays(
        arrays, labels, [texts[name] for name in ("key", "group", "split")], checked, report
    )


def _check_labels(
    labels: npt.NDArray[Any] | None, methods: list[str] | None, report: Report
) -> None:
    if labels is None:
        return
    report.add_rows("/label", ~np.isin(labels, (REAL, FAKE)), "is neither 0 (real) nor 1 (fake)")
    if methods is not None:
        named_real = np.array(methods) == "real"
        report.add_rows(
            "/clips/method",
            named_real != (labels == REAL),
            "does not match the label: the method 'real' is for reals only",
        )


def _check_tracks(file: h5py.File, count: int, times: int, report: Report) -> None:
    of_frames = (count, times)
    indices = read_numbers(file, "clips/frame_indices", of_frames, "i", report)
    if indices is not None:
        falling = (np.diff(indices, axis=1) < 0).any(axis=1) | (indices < 0).any(axis=1)
        report.add_rows("/clips/frame_indices", falling, "is negative or not ascending")
    seconds = read_numbers(file, "clips/frame_times", of_frames, "f", report)
    if seconds is not None:
        bad = ~(np.isfinite(seconds) & (seconds >= 0))
        report.add_rows("/clips/frame_times", bad, "is not finite or is negative")
    boxes = read_numbers(file, "clips/boxes", (*of_frames, 4), "f", report)
    if boxes is not None:
        finite = np.isfinite(boxes).all(axis=2)
        proper = (boxes[..., 2] > boxes[..., 0]) & (boxes[..., 3] > boxes[..., 1])
        report.add_rows("/clips/boxes", ~(finite & proper), "is not finite or is empty")
    points = read_numbers(file, "clips/landmarks", (*of_frames, 5, 2), "f", report)
    if points is not None:
        report.add_rows("/clips/landmarks", ~np.isfinite(points), "is not finite")
    scores = read_numbers(file, "clips/scores", of_frames, "f", report)
    if scores is not None:
        bad = ~(np.isnan(scores) | ((scores >= 0) & (scores <= 1)))
        report.add_rows("/clips/scores", bad, "is not from 0 to 1")
    coverage = read_numbers(file, "clips/coverage", (count,), "f", report)
    if coverage is not None:
        report.add_rows(
            "/clips/coverage", ~((coverage >= 0) & (coverage <= 1)), "is not from 0 to 1"
        )
    if "clips/sound" in file:
        sound = read_numbers(file, "clips/sound", (count,), "u", report)
        if sound is not None:
            report.add_rows("/clips/sound", sound > 1, "is neither 0 nor 1")


def _check_tables(file: h5py.File, count: int, report: Report) -> None:
    """Check media and shortcuts; a store made by hand may have neither."""
    with report.reading("/clips/media"):
        media = file["clips/media"]
        if len(media):
            read_texts(file, "clips/media/codec", count, report)
        for name in _MEDIA_NUMBERS if len(media) else ():
            values = read_numbers(file, f"clips/media/{name}", (count,), "if", report)
            if values is not None:
                bad = ~(np.isfinite(values) & (values >= 0))
                report.add_rows(f"/clips/media/{name}", bad, "is not finite or is negative")
    with report.reading("/clips/shortcuts"):
        for name in list(file["clips/shortcuts"]):
            values = read_numbers(file, f"clips/shortcuts/{name}", (count,), "f", report)
            if values is not None:
                bad = ~(np.abs(values) <= LARGEST_QUANTITY)
                fault = f"is not finite or exceeds {LARGEST_QUANTITY:g}"
                report.add_rows(f"/clips/shortcuts/{name}", bad, fault)


def _check_quarantine(file: h5py.File, report: Report) -> None:
    lengths = set()
    for name in _QUARANTINE:
        dataset = find_dataset(file, f"quarantine/{name}", report)
        if dataset is None:
            return
        lengths.add(len(read_texts(file, f"quarantine/{name}", len(dataset), report) or ()))
    if len(lengths) > 1:
        report.add("/quarantine", "path, step and reason differ in length")


def _check_arrays(
    arrays: Sequence[h5py.Dataset],
    labels: npt.NDArray[Any] | None,
    texts: Sequence[list[str] | None],
    checked: _Checked,
    report: Report,
) -> None:
    """Read every clip once: check its grey, its numbers, and the fingerprint."""
    named = labels is not None and all(values is not None for values in texts)
    for row in range(len(arrays[0])):
        where = f"row {row} ({texts[0][row]})" if texts[0] else f"row {row}"
        content = []
        for array in arrays:
            with report.reading(f"{array.name} {where}"):
                content.append(array[row])
        if len(content) < len(arrays):
            named = False
            continue
        if not np.array_equal(with_grey(content[0][..., :3]), content[0]):
            report.add(
                f"/frames {where}", "its grey is not the rounded mean of its red, green and blue"
            )
        for array, values in zip(arrays[1:], content[1:], strict=True):
            if not np.isfinite(values).all():
                report.add(f"{array.name} {where}", "is not finite")
        if named:
            key, group, split = (values[row] for values in texts if values is not None)
            assert labels is not None
            checked.digests.append(clip_digest(key, int(labels[row]), group, split, content))
    if named and compute_fingerprint(checked.digests) != checked.fingerprint:
        report.add(
            "attribute fingerprint",
            "does not match the content: frames, a modality, a key, label, group or split changed",
        )


def _check_against_index(entry: Any, checked: _Checked, report: Report) -> None:
    with report.reading("index.json"):
        if entry["clips"] != len(checked.digests):
            text = f"names {entry['clips']} clips, the file has {len(checked.digests)}"
            report.add("index.json", text)
        if entry["fingerprint"] != checked.fingerprint:
            report.add("index.json", "has another fingerprint than the file")


def _check_keys(keys: Sequence[str], report: Report) -> None:
    twice = [key for key, count in collections.Counter(keys).items() if count > 1]
    if twice:
        report.add("/clips/key", f"{len(twice)} keys occur twice, e.g. {twice[0]!r}")


def _check_groups(splits_of: dict[str, set[str]], overlap: int, report: Report) -> None:
    divided = sorted(group for group, splits in splits_of.items() if len(splits) > 1)
    if len(divided) > overlap:
        report.add(
            "/clips/group",
            f"{len(divided)} identity groups are in more than one split, e.g. {divided[0]!r}; "
            f"{overlap} are recorded as let through",
        )
