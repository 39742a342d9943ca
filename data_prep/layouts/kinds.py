"""Videos and pictures: a data set is made of one or the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

from data_prep.layouts.files import VIDEO_SUFFIXES, is_candidate, quote
from data_prep.layouts.layout import Video
from data_prep.store.format import Quarantined
from data_prep.video.frame_folders import PICTURE_SUFFIXES


def is_video(path: PurePath) -> bool:
    """Return whether a file has the ending of a video."""
    return path.suffix.casefold() in VIDEO_SUFFIXES


def is_picture(path: PurePath) -> bool:
    """Return whether a file has the ending of a picture."""
    return path.suffix.casefold() in PICTURE_SUFFIXES


def only_pictures(paths: Iterable[PurePath]) -> bool:
    """Return whether there are pictures and no videos; files of other endings do not count."""
    found = False
    for path in paths:
        if is_video(path):
            return False
        found = found or is_picture(path)
    return found


def candidates(
    paths: Iterable[Path], folder: Path, problems: list[Quarantined], *, stills: bool = False
) -> list[Path]:
    """Return the files below a folder that may be videos, or with ``stills`` pictures.

    All files of the other kind become one problem; sidecars become none.
    """
    other = is_video if stills else is_picture
    files = [path for path in paths if is_candidate(path)]
    aside = [path for path in files if other(path)]
    if aside:
        problems.append(_aside(aside, folder, stills=stills))
    return [path for path in files if not other(path)]


def one_kind(
    videos: Sequence[Video], source: Path, problems: list[Quarantined]
) -> tuple[list[Video], bool]:
    """Return the videos that tables list, or their pictures; and whether these are stills.

    If the tables list both, their pictures become one problem.
    """
    stills = bool(videos) and all(is_picture(video.path) for video in videos)
    if stills:
        return list(videos), True
    aside = [video.path for video in videos if is_picture(video.path)]
    if aside:
        problems.append(_aside(aside, source, stills=False))
    return [video for video in videos if not is_picture(video.path)], False


def _aside(paths: Sequence[Path], folder: Path, *, stills: bool) -> Quarantined:
    other, wanted = ("videos", "pictures") if stills else ("pictures", "videos")
    example = quote(paths[0].relative_to(folder))
    reason = f"{other} in a data set of {wanted}: {len(paths)}, e.g. {example}"
    return Quarantined(str(folder), "index", reason)
