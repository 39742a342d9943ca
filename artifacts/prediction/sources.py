"""The files to judge: those named, those in folders, and those that a pattern means."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from data_prep.errors import UserError
from data_prep.layouts.files import files
from data_prep.layouts.kinds import is_picture, is_video


def find_sources(paths: Iterable[Path]) -> list[Path]:
    """Files to judge, in the order their names were given.

    A folder stands for the videos and pictures in it and in its folders, by their endings, sorted,
    hidden ones left out; a name that no file has and that has ``*``, ``?`` or ``[`` for all that it
    means, sorted, where ``**`` means folders of any depth. What stands for nothing stays as it is,
    so that whoever judges it can say so.
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
    """Videos and pictures below a folder, sorted."""
    return sorted(
        path for path in files(folder, [], recursive=True) if is_video(path) or is_picture(path)
    )


def name_outputs(out: Path, files: Sequence[Path]) -> dict[Path, Path]:
    """Where the annotated video of each file goes.

    Args:
        out: of one file, the video to write, or a folder; of several, a folder, which is made.
        files: what is judged.

    Raises:
        UserError: ``out`` cannot be written, or is one video for several files.
    """
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
            while name in taken:
                name, number = out / f"{path.stem}-{number}.mp4", number + 1
            taken.add(name)
            outputs[path] = name
    for path, output in outputs.items():
        if output.exists() and path.exists() and output.samefile(path):
            raise UserError(f"--annotate {out} would replace {path}; choose another name")
    folder = out if to_folder else out.parent
    if not os.access(folder, os.W_OK):
        raise UserError(f"--annotate {out}: {folder} cannot be written to; name another folder")
    return outputs
