"""Labelled videos in, one store of face clips out; and its audit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from data_prep.audit.audit import Audit
from data_prep.errors import UserError
from data_prep.preparation.clip import Preparation
from data_prep.preparation.job import Execution, PreparationProgress, PreparationSummary
from data_prep.preparation.prepare import prepare_sources
from data_prep.sources.source import list_sources
from data_prep.splits.splits import SplitRequest
from data_prep.store.store import FAKE, REAL, Store
from dfsearch.arguments import (
    MOST_SEED,
    Progress,
    StrPath,
    check_number,
    check_whole,
    list_paths,
    no_progress,
    to_names,
    to_path,
)

if TYPE_CHECKING:
    from data_prep.preparation.merge import MergeSummary
    from data_prep.store.verify_report import Problem
    from data_prep.synthetic.synthesize import SyntheticSet

__all__ = [
    "Audit",
    "PreparationSummary",
    "Store",
    "audit",
    "merge",
    "prepare",
    "pseudo_fakes",
    "synthesize",
    "verify",
]

_LABELS = {"real": REAL, "fake": FAKE}


def synthesize(
    out: StrPath,
    *,
    identities: int = 40,
    frames: int = 32,
    size: int = 256,
    cues: Sequence[str] | Literal["all", "none"] = "all",
    per_cue: bool = False,
    seed: int = 0,
    jobs: int = -1,
    progress: Progress = no_progress,
) -> SyntheticSet:
    """Make a labelled SYNTHETIC data set in the folders of FaceForensics++.

    A score on it shows that the pipeline works. It means nothing for real deepfakes.

    Args:
        out: Folder to make. An interrupted call is completed by the same call.
        identities: Number of people, even, at least 4. People swap faces in pairs.
        frames: Frames of each video, at 25 a second.
        size: Side of a frame in pixels.
        cues: Marks of the fakes: ``spatial``, ``temporal``, ``micro``, ``noise``; ``all`` or
            ``none``.
        per_cue: Make one manipulation method for each cue, with that cue alone.
        seed: The same seed gives the same frames.
        jobs: Worker processes; -1 for one on each core.
        progress: Called with ``"synthesizing"``, the videos done and the total.

    Returns:
        The finished set: ``root``, ``reals``, ``fakes``, ``cues``, ``seed`` and ``seconds``.

    Raises:
        DfsearchError: A value is out of range, or ``out`` holds something else.

    Example:
        >>> import dfsearch
        >>> made = dfsearch.synthesize("four_people", identities=4, frames=4, size=96)
        >>> made.reals, made.fakes
        (4, 4)
    """
    from data_prep.synthetic.swap import CUES
    from data_prep.synthetic.synthesize import synthesize as make_set

    whole = {"identities": identities, "frames": frames, "size": size, "seed": seed}
    for name, value in whole.items():
        check_whole(name, value, 0)
    check_whole("jobs", jobs, -1)
    if isinstance(cues, str):
        chosen: Sequence[str] = {"all": CUES, "none": ()}.get(cues, (cues,))
    else:
        chosen = to_names("cues", cues)
    return make_set(
        to_path(out),
        identities=identities,
        frames=frames,
        size=size,
        seed=seed,
        cues=chosen,
        per_cue=per_cue,
        jobs=jobs,
        progress=partial(progress, "synthesizing"),
    )


def prepare(
    source: StrPath | Sequence[StrPath],
    store: StrPath,
    *,
    frames: int = Preparation.frames,
    size: int = Preparation.size,
    margin: float = Preparation.margin,
    align: Literal["box", "points"] | str = Preparation.align,
    faces: Literal["main", "all"] | str = Preparation.faces,
    paired_crops: bool = True,
    modalities: str | Sequence[str] = (),
    detector: str = Preparation.detector,
    detector_model: StrPath | None = None,
    detect_every: int = Preparation.detect_every,
    min_coverage: float = Preparation.min_coverage,
    layout: str = "auto",
    label: Literal["real", "fake"] | str | None = None,
    split_policy: str = "auto",
    held_out: str | None = None,
    allow_overlap: bool = False,
    seed: int = 0,
    jobs: int = -1,
    cluster: str | None = None,
    clip_timeout: float = 600.0,
    shard_clips: int | None = None,
    overwrite: bool = False,
    add: bool = False,
    progress: Progress = no_progress,
) -> PreparationSummary:
    """Find the faces in folders of labelled videos and write their clips to one store.

    A video without a usable face is quarantined with its reason. To resume an interrupted call,
    repeat it.

    Args:
        source: Folder of videos or pictures in a known layout, or with the folders ``real`` and
            ``fake``; several of them; or a TOML file that lists them with their use.
        store: HDF5 file to write, or a folder with ``shard_clips``.
        frames: Frames of a clip, evenly spaced over the video. Pictures give clips of 1 frame.
        size: Side of the face crop in pixels.
        margin: Side of the crop, as a multiple of the face box.
        align: ``box`` cuts out an upright square; ``points`` turns the face by its landmarks.
        faces: ``main`` for the person talking, ``all`` for a clip of every face.
        paired_crops: Crop a fake with the face track of its original.
        modalities: Stored beside the frames: one or several of ``flow``, ``audio``, ``mask`` and
            ``landmarks468``.
        detector: ``centerface``, ``mtcnn``, ``yunet``, or the name of an installed plug-in.
        detector_model: Model file of ``yunet``.
        detect_every: Faces are searched in every n-th frame, and in between where they move.
        min_coverage: Fraction of the frames in which the face must be found, 0 to 1.
        layout: Name of the layout of ``source``; ``auto`` recognises it.
        label: ``real`` or ``fake`` where the whole folder has one label.
        split_policy: ``auto``, ``official``, ``identity``, ``leave-one-method-out`` or ``test``.
        held_out: Manipulation method that ``leave-one-method-out`` keeps for the test split.
        allow_overlap: Accept official lists that put one person in two splits.
        seed: Seed of the split where no official lists exist.
        jobs: Worker processes; -1 for one on each core.
        cluster: Address of a Dask scheduler to use instead of ``jobs``.
        clip_timeout: Seconds after which a video is quarantined.
        shard_clips: Write a folder of files with at most this number of clips each.
        overwrite: Replace an existing store.
        add: Add the sources to an existing store. Its clips keep their splits, and only new videos
            are prepared, with the settings of the store.
        progress: Called with ``"preparing"`` or ``"writing"``, the videos done and the total.

    Returns:
        The summary. Its ``quarantined`` is a tuple of rows with ``path``, ``step`` and
        ``reason``; ``counts`` is one of rows with ``split``, ``label``, ``method`` and ``clips``.

    Raises:
        DfsearchError: The source cannot be used, the store exists or cannot be written, or too
            few videos are usable. No store is written.

    Example:
        >>> import dfsearch
        >>> summary = dfsearch.prepare("videos", "small.h5", frames=4, size=32)
        >>> summary.clips, summary.quarantined
        (8, ())
    """
    if label is not None and label not in _LABELS:
        raise UserError(f"label must be real or fake; received {label!r}")
    check_whole("seed", seed, 0)
    check_whole("jobs", jobs, -1)
    check_number("clip_timeout", clip_timeout)
    if shard_clips is not None:
        check_whole("shard_clips", shard_clips, 1)
    preparation = Preparation(
        frames=frames,
        size=size,
        margin=margin,
        align=align,
        faces=faces,
        detector=detector,
        detector_model=None if detector_model is None else str(to_path(detector_model).absolute()),
        detect_every=detect_every,
        min_coverage=min_coverage,
        modalities=to_names("modalities", modalities),
    )
    return prepare_sources(
        list_sources(
            [to_path(path) for path in list_paths("source", source)],
            layout=layout,
            label=None if label is None else _LABELS[label],
        ),
        to_path(store),
        preparation,
        paired_crops=paired_crops,
        split=SplitRequest(split_policy, seed, held_out, allow_overlap),
        execution=Execution(jobs, cluster, clip_timeout),
        shard_clips=shard_clips,
        overwrite=overwrite,
        add=add,
        progress=PreparationProgress(partial(progress, "preparing"), partial(progress, "writing")),
    )


def merge(
    stores: Sequence[StrPath],
    out: StrPath,
    *,
    shard_clips: int | None = None,
    overwrite: bool = False,
) -> MergeSummary:
    """Write one store with the clips of several stores, which keep their splits.

    Clips of one person, copies of one file and clips that show the same picture are one identity
    group.

    Args:
        stores: At least two stores that were prepared with the same settings.
        out: HDF5 file to write, or a folder with ``shard_clips``.
        shard_clips: Write a folder of files with at most this number of clips each.
        overwrite: Replace an existing store.

    Returns:
        The summary: ``store``, ``stores``, ``clips``, ``people`` and ``fingerprint``.

    Raises:
        DfsearchError: The stores differ in their settings, two have the same clip, or a person
            is in different splits of them. No store is written.

    Example:
        >>> from pathlib import Path
        >>> import dfsearch
        >>> for seed, name in enumerate(["one", "two"]):
        ...     made = dfsearch.synthesize(name, identities=8, frames=4, size=96, seed=seed)
        ...     listed = f"[[source]]\\npath = '{name}'\\ndata_set = '{name}'"
        ...     written = Path(f"{name}.toml").write_text(listed)
        ...     summary = dfsearch.prepare(f"{name}.toml", f"{name}.h5", frames=4, size=32)
        >>> dfsearch.merge(["one.h5", "two.h5"], "both.h5").stores
        2
    """
    from data_prep.preparation.merge import merge_stores

    if shard_clips is not None:
        check_whole("shard_clips", shard_clips, 1)
    return merge_stores(
        [to_path(path) for path in list_paths("stores", stores)],
        to_path(out),
        shard_clips=shard_clips,
        overwrite=overwrite,
    )


def audit(store: StrPath, *, picture: StrPath | None = None, seed: int = 0) -> Audit:
    """Find leaks between splits, imbalance, and shortcuts that separate real from fake.

    Args:
        store: HDF5 file, or folder of shards.
        picture: PNG file to draw sample crops to; None for no picture.
        seed: Seed of folds and bootstrap intervals.

    Returns:
        The audit: ``findings`` with ``severity`` and ``text``, the gravest first; ``leaks``,
        ``balance``, ``coverage``, ``shortcuts``; ``to_json()``.

    Raises:
        DfsearchError: There is no store at the path, or it is damaged.

    Example:
        >>> import dfsearch
        >>> dfsearch.audit("ffpp.h5").leaks
        ()
    """
    from data_prep.audit.audit import audit as audit_store
    from data_prep.audit.sample_picture import draw_samples

    check_whole("seed", seed, 0, MOST_SEED)
    path = None if picture is None else to_path(picture)
    with Store(to_path(store)) as opened:
        found = audit_store(opened, seed=seed)
        if path is not None:
            draw_samples(opened, path, seed=seed)
    return found


def verify(store: StrPath) -> tuple[Problem, ...]:
    """Read a whole store and check it against its format and its fingerprint.

    Args:
        store: HDF5 file, or folder of shards.

    Returns:
        The problems, with ``where`` and ``what``; none for an intact store.

    Raises:
        DfsearchError: There is no store at the path, or reading it does not end.

    Example:
        >>> import dfsearch
        >>> dfsearch.verify("ffpp.h5")
        ()
    """
    from data_prep.store.verify import verify_in_time

    return tuple(verify_in_time(to_path(store)))


def pseudo_fakes(store: StrPath, picture: StrPath, *, clips: int = 12, seed: int = 0) -> Path:
    """Draw pseudo-fakes of real clips as training makes them, with their masks.

    Args:
        store: HDF5 file, or folder of shards.
        picture: PNG file to write.
        clips: Number of pseudo-fakes, at most 200.
        seed: Seed of the choice and of the pseudo-fakes.

    Returns:
        The picture.

    Raises:
        DfsearchError: There is no store at the path, it has no real clip, or the picture cannot
            be written.

    Example:
        >>> import dfsearch
        >>> dfsearch.pseudo_fakes("ffpp.h5", "pseudo_fakes.png", clips=4).name
        'pseudo_fakes.png'
    """
    from search.samples.pseudo_fake_page import draw_pseudo_fakes

    check_whole("clips", clips, 1, 200)
    check_whole("seed", seed, 0, MOST_SEED)
    path = to_path(picture)
    with Store(to_path(store)) as opened:
        draw_pseudo_fakes(opened, path, clips=clips, seed=seed)
    return path
