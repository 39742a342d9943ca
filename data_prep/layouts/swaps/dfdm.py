"""DFDM (Jia et al., 2022): swaps of Celeb-DF v2 made anew by five autoencoders.

Fakes are ``DFDM_crf23/DFaker/id28_id20_0008_4dfaker.mp4``: compression, model, target, donor and
number. The reals are those of Celeb-DF v2, which have to be put beside them as ``Celeb-real/``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from data_prep.layouts.files import distinct, subfolders
from data_prep.layouts.frames import videos_in
from data_prep.layouts.layout import DataSetIndex, Layout, Video
from data_prep.layouts.originals import add_originals
from data_prep.store.format import FAKE, REAL, Quarantined

NAME = "DFDM"
_COMPRESSION = re.compile(r"(?:dfdm_)?crf_?(\d+)", flags=re.ASCII)
_REALS = "celeb-real"
# By the letters of a folder, or of the end of a name.
_MODELS = {
    "dfaker": "DFaker",
    "dflh128": "DFL-H128",
    "faceswap": "FaceSwap",
    "iae": "IAE",
    "lightweight": "LightWeight",
}
_NAME = re.compile(r"(id\d+)_(?:(id\d+)_)?(\d+)(?:_(.+))?", flags=re.ASCII)


def _detect(source: Path) -> bool:
    return any(_COMPRESSION.fullmatch(folder.name.casefold()) for folder in subfolders(source))


def _read(source: Path) -> DataSetIndex:
    problems: list[Quarantined] = []
    named: list[tuple[Video, str]] = []
    for folder in subfolders(source):
        compression = _COMPRESSION.fullmatch(folder.name.casefold())
        if compression:
            named += _videos(folder, FAKE, f"c{compression[1]}", problems)
        elif folder.name.casefold() == _REALS:
            named += _videos(folder, REAL, "unknown", problems)
    return DataSetIndex(NAME, NAME, distinct(add_originals(named)), tuple(problems))


def _videos(
    folder: Path, label: int, quality: str, problems: list[Quarantined]
) -> Iterator[tuple[Video, str]]:
    """Yield the videos of a folder, each with the name of its original."""
    for path in videos_in(folder, problems):
        named = _NAME.fullmatch(path.stem.casefold())
        if not named or (label == FAKE) != (named[2] is not None):
            name = "id28_id20_0008_4dfaker.mp4" if label == FAKE else "id28_0008.mp4"
            reason = f"no identity in the name; expected one such as {name}"
            problems.append(Quarantined(str(path), "index", reason))
            continue
        places = (*path.relative_to(folder).parts[:-1], named[4] or "")
        method = _model(places) if label == FAKE else "real"
        if method is None:
            reason = f"no model in its path; expected one of {', '.join(_MODELS.values())}"
            problems.append(Quarantined(str(path), "index", reason))
            continue
        people = tuple(person for person in named.groups()[:2] if person)
        key = f"{NAME}/{method}/{quality}/{path.stem}"
        yield Video(key, path, label, method, quality, people), f"{named[1]}_{named[3]}"


def _model(places: tuple[str, ...]) -> str | None:
    for place in places:
        letters = re.sub(r"[\W_]", "", place.casefold()).lstrip("0123456789")
        if letters in _MODELS:
            return _MODELS[letters]
    return None


LAYOUT = Layout(NAME, "DFDM_crf0/, DFDM_crf10/ or DFDM_crf23/ (DFDM)", _detect, _read)
