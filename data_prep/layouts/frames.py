"""Videos that a data set has as folders of extracted frames: ``frames/<video>/000.png``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePath

from data_prep.layouts.files import files, quote, subfolders
from data_prep.layouts.kinds import candidates, only_pictures
from data_prep.store.format import Quarantined
from data_prep.video.frame_folders import has_pictures

# Of DeepfakeBench, and of the script of FaceForensics++ that extracts frames.
FRAME_NAMES = ("frames", "images")
# How deep below a folder they are looked for.
_DEPTH = 4


def videos_in(folder: Path, problems: list[Quarantined]) -> list[Path]:
    """Return the videos below a folder; if it has none, its folders of frames.

    Pictures beside videos become one problem.
    """
    paths = files(folder, problems, recursive=True)
    found = frame_folders(folder, problems) if only_pictures(paths) else []
    return found or candidates(paths, folder, problems)


def frame_folders(folder: Path, problems: list[Quarantined]) -> list[Path]:
    """Return the folders in each ``frames/`` or ``images/`` below a folder, one video each.

    Folders without a picture become one problem.
    """
    below = [video for place in _places(folder, _DEPTH) for video in subfolders(place)]
    found = [video for video in below if has_pictures(video)]
    empty = sorted(set(below) - set(found))
    if empty:
        example = quote(empty[0].relative_to(folder))
        reason = f"folders of frames without pictures: {len(empty)}, e.g. {example}"
        problems.append(Quarantined(str(folder), "index", reason))
    return found


def _places(folder: Path, depth: int) -> Iterator[Path]:
    for child in subfolders(folder):
        if child.name.casefold() in FRAME_NAMES:
            yield child
        elif depth > 1:
            yield from _places(child, depth - 1)


def frames_of(source: Path, below: PurePath) -> Path | None:
    """Return the folder of frames of a video: ``a/frames/x`` or ``frames/x`` of ``a/x.mp4``.

    Args:
        source: the data set.
        below: path of the video below it.
    """
    places = (source / above / name for above in below.parents for name in FRAME_NAMES)
    return next((place / below.stem for place in places if has_pictures(place / below.stem)), None)
