"""Celeb-DF v1 and v2 (Li et al., 2020) and Celeb-DF++ (Li et al., 2025).

Reals are ``Celeb-real/id0_0000.mp4`` and, of people without a name, ``YouTube-real/00170.mp4``.
``Celeb-synthesis/id0_id1_0000.mp4`` is the video of id0 with the face of id1. Copies of the set
insert ``videos/`` and change the case of folders, so both are read.

Celeb-DF++ has the same reals and a folder for each scenario and method of the fakes:
``Celeb-synthesis/FaceSwap/BlendFace/id0_id1_0000.mp4``. A talking face is driven by sound, so its
name has one person: ``id0_0000_test_00001.mp4``.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from data_prep.errors import UserError
from data_prep.layouts.files import distinct, list_differences, quote, subfolders
from data_prep.layouts.frames import FRAME_NAMES, videos_in
from data_prep.layouts.layout import (
    MISSING,
    DataSetIndex,
    Difference,
    Layout,
    MislabelledError,
    Video,
)
from data_prep.layouts.originals import add_originals
from data_prep.store.format import FAKE, REAL, Quarantined
from data_prep.text import printable, read_text

NAME, PLUS_NAME = "Celeb-DF", "Celeb-DF++"
_FOLDERS = {"celeb-real": REAL, "youtube-real": REAL, "celeb-synthesis": FAKE}
_UNNAMED, _FAKES = "youtube-real", "celeb-synthesis"
_FAKE_METHOD = "Celeb-synthesis"
# Folders that copies of the set insert above the videos.
_BETWEEN = frozenset({"videos", *FRAME_NAMES})
_SCENARIOS = frozenset({"faceswap", "facereenact", "talkingface"})
# Target, donor if there is one, number of the target's recording, driving clip of a talking face.
_NAME = re.compile(
    r"(?P<target>id\d+)_(?:(?P<donor>id\d+)_)?(?P<number>\d+)(?P<driving>_.+)?", flags=re.ASCII
)
_TEST_LIST = "list_of_testing_videos.txt"
_EXAMPLES = {
    NAME: "1 YouTube-real/00170.mp4",
    PLUS_NAME: "0 Celeb-synthesis/FaceSwap/SimSwap/id0_id1_0000.mp4",
}


@dataclasses.dataclass(frozen=True)
class _Place:
    """Folder of a video.

    Attributes:
        folder: Celeb-real, YouTube-real or Celeb-synthesis, in lower case.
        scenario: scenario of a fake of Celeb-DF++, such as FaceSwap; empty otherwise.
        method: manipulation method, ``real`` for reals.
    """

    folder: str
    scenario: str
    method: str

    @property
    def label(self) -> int:
        """Label of the folder."""
        return _FOLDERS[self.folder]

    def name_in_list(self, file_name: str) -> tuple[str, ...]:
        """Return how the test list names a file here, in lower case."""
        folders = (self.folder, self.scenario, self.method) if self.scenario else (self.folder,)
        return _parts("/".join((*folders, file_name)).casefold())


def _detect(source: Path) -> bool:
    return any(folder.name.casefold() in _FOLDERS for folder in subfolders(source))


def _detect_plus(source: Path) -> bool:
    fakes = [folder for folder in subfolders(source) if folder.name.casefold() == _FAKES]
    return any(each.name.casefold() in _SCENARIOS for fake in fakes for each in subfolders(fake))


def _read(source: Path, name: str) -> DataSetIndex:
    tested = _read_test_list(source, name)
    problems: list[Quarantined] = []
    named: list[tuple[Video, str | None]] = []
    for folder in subfolders(source):
        if folder.name.casefold() not in _FOLDERS:
            continue
        for path in videos_in(folder, problems):
            place = _place(path.relative_to(source).parts, name)
            if isinstance(place, str):
                problems.append(Quarantined(str(path), "index", place))
                continue
            identities = _identities(path.stem, place)
            if not identities:
                expected = "id0_id1_0000.mp4" if place.label == FAKE else "id0_0000.mp4"
                reason = f"no identity in the name; expected one such as {expected}"
                problems.append(Quarantined(str(path), "index", reason))
                continue
            listed = tested.get(place.name_in_list(path.name))
            if listed is not None and listed != place.label:
                raise MislabelledError(
                    f"{quote(source)}: the test list labels {quote(path)} {_word(listed)}, its "
                    f"folder {_word(place.label)}; correct the list (1 is real, 0 is fake)"
                )
            video = Video(
                key=f"{name}/{place.method}/unknown/{printable(path.stem)}",
                path=path,
                label=place.label,
                method=place.method,
                quality="unknown",
                identities=identities,
                split=None if listed is None else "test",
                attributes={"scenario": place.scenario} if place.scenario else {},
            )
            named.append((video, None if place.folder == _UNNAMED else _original(path.stem)))
    return DataSetIndex(name, name, distinct(add_originals(named)), tuple(problems))


def _compare(source: Path, found: DataSetIndex) -> Sequence[Difference]:
    """Return the videos of the test list that are missing."""
    there = {_parts(video.path.relative_to(source).as_posix().casefold()) for video in found.videos}
    absent = set(_read_test_list(source, found.layout)) - there
    return list_differences(source / _TEST_LIST, MISSING, map("/".join, absent))


def _place(parts: tuple[str, ...], name: str) -> _Place | str:
    """Return the place of a file by its path below the data set, or why it has none."""
    folder = parts[0].casefold()
    if _FOLDERS[folder] == REAL:
        return _Place(folder, "", "real")
    if name == NAME:
        return _Place(folder, "", _FAKE_METHOD)
    below = [part for part in parts[1:-1] if part.casefold() not in _BETWEEN]
    if len(below) < 2 or below[0].casefold() not in _SCENARIOS:
        return "no scenario and method; expected it below Celeb-synthesis/<scenario>/<method>/"
    return _Place(folder, below[0], printable(below[1]))


def _original(stem: str) -> str | None:
    """Return the name of the real of ``id0_id1_0000``, ``id0_0000``; a real has its own."""
    named = _NAME.fullmatch(stem.casefold())
    return f"{named['target']}_{named['number']}" if named else None


def _identities(stem: str, place: _Place) -> tuple[str, ...]:
    """Return original and donor of a fake, the person of a real; empty if the name has none."""
    if place.folder == _UNNAMED:
        return (f"YouTube {printable(stem)}",)
    named = _NAME.fullmatch(stem.casefold())
    if not named:
        return ()
    swapped, driven = named["donor"] is not None, named["driving"] is not None
    fits = swapped != driven if place.scenario else swapped == (place.label == FAKE) and not driven
    return tuple(person for person in (named["target"], named["donor"]) if person and fits)


def _word(label: int) -> str:
    return "fake" if label == FAKE else "real"


def _parts(name: str) -> tuple[str, ...]:
    """Return the folders and the name without ending of a path, without folders between."""
    path = PurePosixPath(name)
    return (*(part for part in path.parts[:-1] if part not in _BETWEEN), path.stem)


def _read_test_list(source: Path, name: str) -> dict[tuple[str, ...], int]:
    """Return the label by folders and file name, in lower case, of the videos in the test list.

    The list writes ``1 YouTube-real/00170.mp4``: 1 is real, 0 is fake.
    """
    lists = (child for child in sorted(source.iterdir()) if child.name.casefold() == _TEST_LIST)
    path = next((child for child in lists if child.is_file()), None)
    if path is None:
        return {}
    try:
        lines = read_text(path).splitlines()
    except (OSError, ValueError) as error:
        raise UserError(
            f"test list {quote(path)} is damaged: {quote(str(error))}; replace it or remove it"
        ) from None
    listed = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        entry = re.fullmatch(r"([01])\s+(\S.*)", line.strip().casefold())
        parts = _parts(entry[2]) if entry else ()
        in_scenario = name == PLUS_NAME and parts[:1] == (_FAKES,)
        if not entry or len(parts) != (4 if in_scenario else 2) or parts[0] not in _FOLDERS:
            raise UserError(
                f"test list {quote(path)} is damaged: line {number} is {quote(line)!r}, expected "
                f"one such as {_EXAMPLES[name]!r}; replace it or remove it"
            )
        listed[parts] = REAL if entry[1] == "1" else FAKE
    return listed


LAYOUT = Layout(
    NAME,
    "Celeb-real/, YouTube-real/ and Celeb-synthesis/ (Celeb-DF)",
    _detect,
    functools.partial(_read, name=NAME),
    _compare,
)
PLUS_LAYOUT = Layout(
    PLUS_NAME,
    "Celeb-synthesis/<scenario>/<method>/ (Celeb-DF++)",
    _detect_plus,
    functools.partial(_read, name=PLUS_NAME),
    _compare,
)
