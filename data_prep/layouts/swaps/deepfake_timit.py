"""DeepfakeTIMIT (Korshunov and Marcel, 2018): swaps between 16 pairs of people of VidTIMIT.

Fakes are ``higher_quality/fadg0/sa1-video-fram1.avi``: quality, person, sentence and donor. The
reals are those of VidTIMIT, which have to be put beside them as ``VidTIMIT/fadg0/sa1.avi``.
"""

from __future__ import annotations

import re
from pathlib import Path

from data_prep.layouts.files import distinct, subfolders
from data_prep.layouts.frames import videos_in
from data_prep.layouts.layout import DataSetIndex, Layout, Video
from data_prep.layouts.originals import add_originals
from data_prep.store.format import FAKE, REAL, Quarantined
from data_prep.text import printable

NAME = "DeepfakeTIMIT"
_QUALITIES = {"higher_quality": "higher", "lower_quality": "lower"}
_REALS = "vidtimit"
_METHOD = "faceswap-GAN"


def _detect(source: Path) -> bool:
    return any((source / name).is_dir() for name in _QUALITIES)


def _read(source: Path) -> DataSetIndex:
    problems: list[Quarantined] = []
    named: list[tuple[Video, tuple[str, str]]] = []
    for folder in subfolders(source):
        quality = _QUALITIES.get(folder.name.casefold())
        label = FAKE if quality else REAL
        if quality or folder.name.casefold() == _REALS:
            for path in videos_in(folder, problems):
                found = _video(path, folder, label, quality or "unknown")
                if isinstance(found, str):
                    problems.append(Quarantined(str(path), "index", found))
                else:
                    named.append(found)
    return DataSetIndex(NAME, NAME, distinct(add_originals(named)), tuple(problems))


def _video(
    path: Path, folder: Path, label: int, quality: str
) -> tuple[Video, tuple[str, str]] | str:
    """Return a video with person and sentence of its original, or why it cannot be used."""
    below = path.relative_to(folder).parts
    made = re.fullmatch(r"(.+)-video-(.+)", path.stem)
    if len(below) < 2 or (label == FAKE and not made):
        name = "sa1-video-fram1.avi" if label == FAKE else "sa1.avi"
        return f"expected a person and a name such as fadg0/{name}"
    person, sentence = printable(below[0]), printable(made[1] if made else path.stem)
    method = _METHOD if label == FAKE else "real"
    video = Video(
        key=f"{NAME}/{method}/{quality}/{person}/{printable(path.stem)}",
        path=path,
        label=label,
        method=method,
        quality=quality,
        identities=(person, printable(made[2])) if made else (person,),
    )
    return video, (person, sentence)


LAYOUT = Layout(NAME, "higher_quality/ and lower_quality/ (DeepfakeTIMIT)", _detect, _read)
