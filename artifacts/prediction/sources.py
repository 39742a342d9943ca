"""The files to judge: those named, those in folders, and those that a pattern means."""

from __future__ import annotations

import glob
import os
from collections.abc import Container, Iterable, Sequence
from pathlib import Path

import av

from data_prep.errors import UserError
from data_prep.layouts.files import files
from data_prep.layouts.kinds import is_picture, is_video

MARK = "annotated by dfsearch"
"""In an annotated video, as its comment."""


def find_sources(paths: Iterable[Path]) -> list[Path]:
    """Find the files to judge, in the order of the given names.

    A folder stands for all videos and pictures below it, by their endings, sorted, without hidden
    ones. If no file has the name and it contains ``*``, ``?`` or ``[``, it is a pattern and stands
    for its sorted matches; ``**`` means folders of any depth. A pattern without a match stays
    unchanged, so the verdict can report it.
    """
    found: list[Path] = []
    for path in paths:
        meant = [path]
        if not path.exists() and glob.has_magic(str(path)):
            # Path.glob takes no absolute pattern.
            meant = sorted(map(Path, glob.glob(str(path), recursive=True))) or [path]  # noqa: PTH207
        for one in meant:
            found += _inside(one) or [one] if one.is_dir() else [one]
    return found


def _inside(folder: Path) -> list[Path]:
    """Find videos and pictures below a folder, sorted."""
    return sorted(
        path for path in files(folder, [], recursive=True) if is_video(path) or is_picture(path)
    )


def name_outputs(out: Path, files: Sequence[Path]) -> dict[Path, Path]:
    """Choose the path of each file's annotated video: never one of the files.

    In a folder, names of other files are skipped; an annotated video is replaced.

    Args:
        out: for one file the video to write or a folder; for several a folder, which is made.
        files: files to judge.

    Raises:
        UserError: ``out`` cannot be written, is one video for several files, or would replace
            another video than an annotated one.
    """
    judged = {_identity(path) for path in files if path.exists()}
    to_folder = out.is_dir() or not out.suffix
    if not to_folder:
        if len(files) > 1:
            raise UserError(
                f"--annotate {out} is one video, and there are {len(files)} to annotate; name a "
                "folder"
            )
        if out.suffix.casefold() != ".mp4":
            raise UserError(f"--annotate {out}: an annotated video is an MP4; name it OUT.mp4")
        if not out.parent.is_dir():
            raise UserError(f"--annotate {out}: there is no folder {out.parent}; make it first")
        if not _is_free(out, judged):
            raise UserError(
                f"--annotate {out} would replace {out}, which is to be judged or was not written "
                "by --annotate; choose another name"
            )
        outputs = dict.fromkeys(files, out)
    else:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"--annotate {out}: {error.strerror}; name another folder") from None
        outputs = {}
        taken: set[Path] = set()
        for path in dict.fromkeys(files):
            name, number = out / f"{path.stem}.mp4", 2
            while name in taken or not _is_free(name, judged):
                name, number = out / f"{path.stem}-{number}.mp4", number + 1
            taken.add(name)
            outputs[path] = name
    folder = out if to_folder else out.parent
    if not os.access(folder, os.W_OK):
        raise UserError(f"--annotate {out}: {folder} cannot be written to; name another folder")
    return outputs


def _identity(path: Path) -> tuple[int, int]:
    """Return a value that all names of one file share."""
    found = path.stat()
    return found.st_dev, found.st_ino


def _is_free(path: Path, judged: Container[tuple[int, int]]) -> bool:
    """Return whether a name may be written to: it is unused, or an annotated video not to judge."""
    if not path.exists():
        return True
    return _identity(path) not in judged and _is_annotated(path)


def _is_annotated(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        with (
            path.open("rb") as file,
            av.open(file, format="mp4", metadata_errors="replace") as video,
        ):
            return video.metadata.get("comment") == MARK
    except (av.FFmpegError, OSError):
        return False
