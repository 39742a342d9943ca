"""DF40 (Yan et al., 2024): fakes of 40 methods in the domains of FaceForensics++ and Celeb-DF.

Fakes are ``simswap/ff/frames/071_054/000.png`` and ``simswap/cdf/frames/id0_id1_0000/000.png``, or
videos in their place, and for nine methods ``heygen/fake/`` beside ``heygen/real/``. Methods can be
in ``train/`` and ``test/``. Reals are those of the two data sets, anywhere in the folder. With JSON
files of DeepfakeBench, these are read instead. A domain takes the place of a quality.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from data_prep.layouts.files import distinct, files, subfolders
from data_prep.layouts.frame_sets.names import identities, with_named_originals
from data_prep.layouts.frames import FRAME_NAMES, videos_in
from data_prep.layouts.kinds import is_picture, one_kind
from data_prep.layouts.layout import DataSetIndex, Layout, Video
from data_prep.store.format import FAKE, REAL, Quarantined
from data_prep.text import printable

NAME = "DF40"
# As folders and lists call them, without signs; some have two names.
METHODS = frozenset(
    {
        *("fsgan", "faceswap", "simswap", "inswap", "inswapper", "blendface", "uniface"),
        *("mobileswap", "e4s", "facedancer", "deepfacelab", "fomm", "facevid2vid", "fsvid2vid"),
        *("wav2lip", "mraa", "oneshot", "oneshotfree", "pirender", "tpsm", "tpsmm", "lia"),
        *("dagan", "danet", "sadtalker", "mcnet", "hyperreenact", "heygen", "vqgan", "stylegan2"),
        *("stylegan3", "styleganxl", "sd21", "ddpm", "ddim", "rddm", "pixart", "dit", "sit"),
        *("midjourney", "whichisreal", "whichfaceisreal", "collabdiff", "e4e", "stargan"),
        *("starganv2", "styleclip"),
    }
)
_DOMAINS = {"ff": "ff", "ffpp": "ff", "cdf": "cdf", "cdfv2": "cdf"}
_KINDS = {"fake": FAKE, "real": REAL}
_SPLITS = {"train": "train", "df40_train": "train", "test": "test", "df40_test": "test"}
_OTHERS = frozenset({"fake", "df40", "rgb"})
_CELEB_REALS = frozenset({"celeb-real", "youtube-real"})
_OTHER_FAKES = frozenset({"manipulated_sequences", "celeb-synthesis"})
_DEPTH = 5


def _is_method(folder: Path) -> bool:
    return re.sub(r"[\W_]", "", folder.name.casefold()) in METHODS


def _detect(source: Path) -> bool:
    parts = [part for method, _ in _methods(source) for part in _parts(method)]
    # Two folders real/ and fake/ alone can be anyone's.
    return any(domain in _DOMAINS for _, _, domain in parts) or len(parts) > 2


def _methods(source: Path) -> Iterator[tuple[Path, str | None]]:
    """Yield the folder of every method that has a domain, and its split."""
    places: list[tuple[Path, str | None]] = [(source, None)]
    for folder in subfolders(source):
        name = folder.name.casefold()
        if name in _SPLITS or name in _OTHERS:
            places.append((folder, _SPLITS.get(name)))
    for place, split in places:
        for folder in subfolders(place):
            if _is_method(folder) and any(_parts(folder)):
                yield folder, split


def _parts(method: Path) -> list[tuple[Path, int, str]]:
    """Return the folders of a method with label and domain; it can be in one of its own name."""
    found = []
    for folder in subfolders(method):
        name = folder.name.casefold()
        if name in _DOMAINS:
            found.append((folder, FAKE, _DOMAINS[name]))
        elif name in _KINDS:
            found.append((folder, _KINDS[name], "unknown"))
        elif name.startswith(method.name.casefold()):
            found += _parts(folder)
    return found


def _read(source: Path) -> DataSetIndex:
    problems: list[Quarantined] = []
    named: list[tuple[Video, str]] = []
    for method, split in _methods(source):
        for folder, label, domain in _parts(method):
            name = printable(method.name) if label == FAKE else "real"
            named += _videos(folder, label, name, domain, split, problems)
    for folder, domain in _reals(source, _DEPTH, problems):
        named += _videos(folder, REAL, "real", domain, None, problems)
    kept, stills = one_kind([video for video, _ in named], source, problems)
    names = {video.path: name for video, name in named}
    videos = with_named_originals((video, names[video.path]) for video in kept)
    return DataSetIndex(NAME, NAME, distinct(videos), tuple(problems), stills)


def _videos(
    folder: Path,
    label: int,
    method: str,
    domain: str,
    split: str | None,
    problems: list[Quarantined],
) -> Iterator[tuple[Video, str]]:
    """Yield the videos of a folder, or its pictures if it has no videos, and their names."""
    unread: list[Quarantined] = []
    paths = videos_in(folder, unread)
    if not paths:
        paths = [path for path in files(folder, unread, recursive=True) if is_picture(path)]
        # They are no longer pictures where videos are read.
        unread = [each for each in unread if each.path != str(folder)]
    problems += unread
    for path in paths:
        name = path.name if path.is_dir() else path.stem
        below = printable(path.relative_to(folder).with_name(name).as_posix())
        place = "/".join(part for part in below.split("/") if part not in {*FRAME_NAMES, "videos"})
        video = Video(
            key=f"{NAME}/{method}/{domain}/{place}",
            path=path,
            label=label,
            method=method,
            quality=domain,
            identities=identities(name),
            split=split,
        )
        yield video, name


def _reals(folder: Path, depth: int, problems: list[Quarantined]) -> Iterator[tuple[Path, str]]:
    """Yield the folders of reals of FaceForensics++ and Celeb-DF, and their domains."""
    for child in subfolders(folder):
        name = child.name.casefold()
        if name == "original_sequences":
            yield from ((quality, "ff") for quality in subfolders(child / "youtube"))
        elif name in _CELEB_REALS:
            yield child, "cdf"
        elif name in _OTHER_FAKES:
            reason = "fakes of another data set; prepare them as a source of their own"
            problems.append(Quarantined(str(child), "index", reason))
        elif depth > 1 and name not in FRAME_NAMES and not _is_method(child):
            yield from _reals(child, depth - 1, problems)


LAYOUT = Layout(NAME, "<method>/ff/ and <method>/cdf/ (DF40)", _detect, _read)
