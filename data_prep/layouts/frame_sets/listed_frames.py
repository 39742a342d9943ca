"""Folders of frames found by the paths that a list has of them on another machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from data_prep.layouts.files import is_file
from data_prep.video.frame_folders import has_pictures

# Folders that users put the data sets of a list into.
_ABOVE = ("", "rgb", "datasets", "test", "train", "real", "fake", "DF40", "DF40_train")
# Domains by their names in lists, and as they are called on disk.
_RENAMED = {"cdfv2": "cdf", "ffpp": "ff"}
# The end of a path that begins with one of these does not name a data set or a method.
_VAGUE = frozenset({"frames", "images", "ff", "cdf", "cdfv2", "ffpp", "raw", "c0", "c23", "c40"})
_SHORTEST = 3


class FramePlaces:
    """Frames below a source, by the end of their listed path.

    Args:
        source: the folder that they are looked for in.
    """

    def __init__(self, source: Path) -> None:
        self._source = source
        # Number of parts left out, folder above and variant that fitted last.
        self._last: tuple[int, str, int] | None = None

    @staticmethod
    def folder_of(listed: str) -> tuple[str, ...]:
        """Return the parts of the folder of a listed frame."""
        parts = [part for part in listed.replace("\\", "/").split("/")[:-1] if part]
        return tuple(part for part in parts if part not in (".", "..") and ":" not in part)

    def find_folder(self, listed: Sequence[str]) -> Path | None:
        """Return the folder of the first listed frame, None if it is not there."""
        return self._find(self.folder_of(listed[0])) if listed else None

    def find_files(self, listed: Sequence[str]) -> list[Path | None]:
        """Return the listed frames, each None if it is not there."""
        folder = self.find_folder(listed)
        names = [each.replace("\\", "/").rpartition("/")[2] for each in listed]
        paths = [folder / name if folder and name not in (".", "..") else None for name in names]
        return [path if path and is_file(path) else None for path in paths]

    def _find(self, parts: tuple[str, ...]) -> Path | None:
        for choice in (*([self._last] if self._last else []), *self._choices(parts)):
            path = self._path(parts, *choice)
            if path is not None and has_pictures(path):
                self._last = choice
                return path
        return None

    @staticmethod
    def _choices(parts: tuple[str, ...]) -> Iterator[tuple[int, str, int]]:
        for left_out in range(len(parts)):
            for above in _ABOVE:
                for variant in range(4):
                    yield left_out, above, variant

    def _path(self, parts: tuple[str, ...], left_out: int, above: str, variant: int) -> Path | None:
        end = list(parts[left_out:])
        if len(end) < min(_SHORTEST, len(parts)) or end[0].casefold() in _VAGUE:
            return None
        if variant == 1:
            end = [_RENAMED.get(part, part) for part in end]
        elif variant > 1:
            # Archives unpacked into a folder of their own name.
            at = min(variant - 2, len(end) - 1)
            end.insert(at, end[at])
        return self._source.joinpath(above, *end)
