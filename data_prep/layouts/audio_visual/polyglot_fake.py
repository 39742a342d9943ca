"""PolyGlotFake (Hou et al., 2024): speeches dubbed into other languages with lip sync.

Reals are ``real/en/en_12.mp4``, fakes ``fake/to_fr/en_12_to_fr_Xtts.mp4``. JSON files in
``json_file/`` name the speaker of a real, and speech synthesis and lip sync of a fake.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data_prep.layouts.files import distinct, files, quote, subfolders
from data_prep.layouts.frames import videos_in
from data_prep.layouts.layout import DataSetIndex, Layout, Video
from data_prep.layouts.originals import add_originals
from data_prep.layouts.tables import read_json
from data_prep.store.format import FAKE, REAL, Quarantined
from data_prep.text import printable

NAME = "PolyGlotFake"
_LANGUAGES = frozenset({"ar", "en", "es", "fr", "ja", "ru", "zh"})
_FOLDERS = {"real": REAL, "fake": FAKE}
_METHOD = "lip_sync"
_FAKE_NAME = re.compile(r"(?P<original>.+?)_to_(?P<language>[a-z]{2})(?:_.*)?", flags=re.DOTALL)


def _detect(source: Path) -> bool:
    fakes = {folder.name.casefold().removeprefix("to_") for folder in subfolders(source / "fake")}
    reals = {folder.name.casefold() for folder in subfolders(source / "real")}
    prefixed = any(folder.name.startswith("to_") for folder in subfolders(source / "fake"))
    return prefixed and bool(fakes & _LANGUAGES) and bool(reals & _LANGUAGES)


def _read(source: Path) -> DataSetIndex:
    problems: list[Quarantined] = []
    facts = _read_facts(source, problems)
    named: list[tuple[Video, str | None]] = []
    for name, label in _FOLDERS.items():
        for path in videos_in(source / name, problems):
            video = _video(path, label, facts)
            if isinstance(video, str):
                problems.append(Quarantined(str(path), "index", video))
            else:
                named.append(video)
    return DataSetIndex(NAME, NAME, distinct(add_originals(named)), tuple(problems))


def _video(
    path: Path, label: int, facts: dict[str, dict[str, Any]]
) -> tuple[Video, str | None] | str:
    """Return the video of a file and the name of its original, or why it cannot be used."""
    stem, own = path.stem, facts.get(path.name, {})
    found = _FAKE_NAME.fullmatch(stem) if label == FAKE else None
    if label == FAKE and not found:
        return "no original and language in the name; expected one such as en_12_to_fr_Xtts.mp4"
    original = found["original"] if found else stem
    of_real = facts.get(f"{original}.mp4", own if label == REAL else {})
    method = printable(str(own.get("sync_tech") or _METHOD)).replace("/", "_")
    language = found["language"] if found else stem.partition("_")[0]
    attributes = {
        "language": language,
        "tts": str(own.get("tts_technique") or "") if found else "",
        **dict(_character(of_real)),
    }
    video = Video(
        key=f"{NAME}/{method if found else 'real'}/unknown/{printable(stem)}",
        path=path,
        label=label,
        method=method if found else "real",
        quality="unknown",
        identities=(_speaker(of_real) or printable(original),),
        attributes={name: printable(text) for name, text in attributes.items() if text},
    )
    return video, original


def _character(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield age and sex of the first person in a real."""
    people = facts.get("characters")
    first = people[0] if isinstance(people, list) and people else {}
    for name in ("age", "sex"):
        if isinstance(first, dict) and first.get(name) is not None:
            yield name, str(first[name])


def _speaker(facts: dict[str, Any]) -> str:
    """Return a name for the speaker: videos of one source with one age and sex show one person."""
    source = facts.get("source")
    return printable(" ".join([str(source), *dict(_character(facts)).values()])) if source else ""


def _read_facts(source: Path, problems: list[Quarantined]) -> dict[str, dict[str, Any]]:
    """Return the entries of the JSON files by name of the video."""
    facts: dict[str, dict[str, Any]] = {}
    folders = [folder for folder in subfolders(source) if folder.name not in _FOLDERS]
    for path in (path for folder in folders for path in files(folder, [], recursive=True)):
        if path.suffix.casefold() != ".json":
            continue
        try:
            content = read_json(path)
        except (OSError, ValueError, RecursionError) as error:
            reason = f"it is damaged: {quote(str(error))}; its speakers and methods are unknown"
            problems.append(Quarantined(str(path), "index", reason))
            continue
        # The release calls the list of fakes "video", the list of reals "videos".
        listed = content.get("videos") or content.get("video") if isinstance(content, dict) else []
        for entry in listed if isinstance(listed, list) else []:
            if isinstance(entry, dict) and isinstance(entry.get("filename"), str):
                facts[entry["filename"]] = entry
    return facts


LAYOUT = Layout(NAME, "real/en/ and fake/to_fr/ (PolyGlotFake)", _detect, _read)
