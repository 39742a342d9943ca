"""PolyGlotFake: dubbed speeches, with speakers and methods by the JSON files."""

from __future__ import annotations

import json
from pathlib import Path

from data_prep.datasets import index
from data_prep.store.store import FAKE, REAL


def _polyglot(root: Path) -> Path:
    names = ("real/en/en_1.mp4", "real/en/en_2.mp4", "fake/to_fr/en_1_to_fr_Xtts.mp4")
    for name in (*names, "fake/to_fr/odd.mp4"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_without_json_files(tmp_path: Path) -> None:
    found = index(_polyglot(tmp_path))
    assert found.layout == "PolyGlotFake"
    assert {v.key: (v.label, v.identities, dict(v.attributes)) for v in found.videos} == {
        "PolyGlotFake/real/unknown/en_1": (REAL, ("en_1",), {"language": "en"}),
        "PolyGlotFake/real/unknown/en_2": (REAL, ("en_2",), {"language": "en"}),
        "PolyGlotFake/lip_sync/unknown/en_1_to_fr_Xtts": (FAKE, ("en_1",), {"language": "fr"}),
    }
    fake = next(video for video in found.videos if video.label == FAKE)
    assert fake.original == tmp_path / "real" / "en" / "en_1.mp4"
    (problem,) = found.problems
    assert Path(problem.path).name == "odd.mp4"


def test_json_files_name_speaker_and_method(tmp_path: Path) -> None:
    root = _polyglot(tmp_path)
    (root / "fake" / "to_fr" / "odd.mp4").unlink()
    person = {"source": "talk", "characters": [{"age": 40, "sex": "female"}]}
    reals = [{"filename": f"en_{n}.mp4", "lang": "en", **person} for n in (1, 2)]
    fakes = [{"filename": "en_1_to_fr_Xtts.mp4", "sync_tech": "Wav2Lip", "tts_technique": "Xtts"}]
    for name, content in (("real", {"videos": reals}), ("fake", {"video": fakes})):
        folder = root / "json_file" / name
        folder.mkdir(parents=True)
        (folder / "all.json").write_text(json.dumps(content))
    (root / "json_file" / "broken.json").write_text("{")
    found = index(root)
    assert {video.identities for video in found.videos} == {("talk 40 female",)}
    fake = next(video for video in found.videos if video.label == FAKE)
    assert fake.method == "Wav2Lip"
    assert dict(fake.attributes) == {
        "language": "fr",
        "tts": "Xtts",
        "age": "40",
        "sex": "female",
    }
    (problem,) = found.problems
    assert problem.reason.startswith("it is damaged: ")
