"""A labelled SYNTHETIC deepfake data set made from nothing, in the FaceForensics++ layout.

For demonstrations and tests: it needs no download and no consent form, and every mark in it is
known. A score on it shows that the pipeline works, and nothing about real manipulations.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import joblib

from data_prep.datasets import SYNTHETIC_MARKER
from data_prep.errors import UserError
from data_prep.synthetic.clip import CRF, FPS, SET, SINGLE_CLIP, ClipPlan, make_clip
from data_prep.synthetic.swap import CUES
from data_prep.workers import in_workers

DRAWING = 2
"""Goes up whenever the same parameters draw other pictures."""

_UNFINISHED = ".unfinished"
_VERSIONED = ("deepfake-model-search", "numpy", "opencv-python", "scikit-image", "moviepy")
_README = """\
Everything in this folder is SYNTHETIC. No person in it exists and no real deepfake method was used.
A program reshaped and recoloured one public-domain photograph (NASA's portrait of the astronaut
Eileen Collins, skimage.data.astronaut) into different people and set them in motion. The "fakes"
swap the inner face of one such person for that of another and carry marks whose kind and
strength are listed in SYNTHETIC.json.

The folders and splits follow FaceForensics++ (target_source.mp4); the content does not come from
it. Use the set to try a pipeline. A score on it means nothing for real manipulations.
"""


@dataclass(frozen=True)
class SyntheticSet:
    """A finished synthetic data set.

    Attributes:
        root: its folder.
        reals: number of real clips.
        fakes: number of fake clips.
        cues: the marks its fakes carry.
        seed: the seed it was drawn from.
        seconds: duration of the synthesis.
    """

    root: Path
    reals: int
    fakes: int
    cues: tuple[str, ...]
    seed: int
    seconds: float


def synthesize(
    out: Path,
    *,
    identities: int = 40,
    frames: int = 32,
    size: int = 256,
    seed: int = 0,
    cues: Collection[str] = CUES,
    per_cue: bool = False,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> SyntheticSet:
    """Make a labelled synthetic data set in the FaceForensics++ layout.

    People come in pairs (0, 1), (2, 3), ... Each has one real clip, and in each method one fake
    with the face of the other. About 60/20/20 of the pairs go to train, val and test. The same
    arguments give the same decoded frames, whatever ``jobs`` is.

    Args:
        out: the folder to make. It must not exist or be empty, or hold an unfinished set of the
            same parameters, which is then completed.
        identities: number of people, even, at least 4.
        frames: number of frames a clip, at 25 a second, at least 2.
        size: side of a frame in pixels, even, at least 96.
        seed: names the set; not negative.
        cues: the marks fakes carry, from ``CUES``. With none a fake is a clean swap, whose label
            is not learnable: a null control.
        per_cue: make one method a cue, each fake with that mark alone, instead of one method
            with all of them.
        jobs: number of processes; -1 is one a core.
        progress: called with (clips done, clips in all).

    Raises:
        UserError: a parameter is out of range, or ``out`` holds something else.
    """
    started = time.perf_counter()
    chosen = _checked_cues(cues)
    _check_clip(frames, size, seed)
    if identities < 4 or identities % 2:
        raise UserError(
            f"identities must be an even number of at least 4; received {identities}: people swap "
            "faces in pairs"
        )
    if jobs == 0:
        raise UserError("jobs must be a number of processes, or -1 for one per core; received 0")
    if per_cue and not chosen:
        raise UserError("per_cue needs at least one cue; name one or leave per_cue out")
    methods: dict[str, tuple[str, ...]] = {"Synthetic": chosen}
    if per_cue:
        methods = {f"Synthetic{cue.capitalize()}": (cue,) for cue in chosen}
    parameters = {
        "identities": identities,
        "frames": frames,
        "size": size,
        "seed": seed,
        "cues": list(chosen),
        "per_cue": per_cue,
        "drawing": DRAWING,
    }
    # Workers that are used again are in the folder in which they were started.
    folder = out.absolute()
    videos = _plan(folder, identities, seed, methods)
    try:
        _claim(out, parameters)
        _write_splits(out / "splits", identities)
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror}; name another folder") from None

    waiting = [video for video in videos if not video.path.exists()]
    done = len(videos) - len(waiting)
    if progress:
        progress(done, len(videos))
    calls = (joblib.delayed(make_clip)(v, frames, size, folder / _UNFINISHED) for v in waiting)
    with contextlib.closing(in_workers(jobs, calls)) as made:
        for _ in made:
            done += 1
            if progress:
                progress(done, len(videos))

    described = [_describe(video, folder) for video in videos]
    _write_json(out / SYNTHETIC_MARKER, _marker(parameters, finished=True) | {"videos": described})
    shutil.rmtree(out / _UNFINISHED, ignore_errors=True)
    fakes = sum(video.donor is not None for video in videos)
    seconds = time.perf_counter() - started
    return SyntheticSet(out, len(videos) - fakes, fakes, chosen, seed, seconds)


def synthesize_clip(
    path: Path,
    *,
    fake: bool,
    seed: int = 0,
    frames: int = 32,
    size: int = 256,
    cues: Collection[str] = CUES,
) -> Path:
    """Make one synthetic clip of a person that is in no data set of ``synthesize``.

    A real and a fake clip of one seed show the same recording, without and with a swapped face.

    Args:
        path: the .mp4 to write; its folder is made, an existing file replaced.
        fake: whether the face is swapped.
        seed: names the person; not negative.
        frames: frames at 25 a second, at least 2.
        size: side of a frame in pixels, even, at least 96.
        cues: the marks of a fake, from ``CUES``.

    Returns:
        ``path``.

    Raises:
        UserError: a parameter is out of range.
    """
    chosen = _checked_cues(cues)
    _check_clip(frames, size, seed)
    if path.suffix != ".mp4":
        raise UserError(f"{path}: a synthetic clip is an .mp4 file; give a name that ends in .mp4")
    video = ClipPlan(path, SINGLE_CLIP, seed, 0, 1 if fake else None, chosen)
    make_clip(video, frames, size, path.parent)
    return path


def finished_seed(out: Path) -> int | None:
    """Return the seed of the finished synthetic set in ``out``, None without one."""
    try:
        marker = json.loads((out / SYNTHETIC_MARKER).read_text())
        return int(marker["parameters"]["seed"]) if marker["finished"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _checked_cues(cues: Collection[str]) -> tuple[str, ...]:
    given = (cues,) if isinstance(cues, str) else cues
    unknown = sorted(set(given) - set(CUES))
    if unknown:
        raise UserError(f"unknown cue {', '.join(unknown)}: choose from {', '.join(CUES)}")
    return tuple(cue for cue in CUES if cue in given)


def _check_clip(frames: int, size: int, seed: int) -> None:
    if frames < 2:
        raise UserError(f"frames must be at least 2; received {frames}: motion needs two frames")
    if size < 96 or size % 2:
        raise UserError(f"size must be an even number of at least 96 pixels; received {size}")
    if seed < 0:
        raise UserError(f"seed must not be negative; received {seed}")


def _claim(out: Path, parameters: dict[str, object]) -> None:
    """Make ``out`` ours: new, empty, or an unfinished set of the same parameters."""
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; name a folder that does not exist yet")
    if out.is_dir() and any(out.iterdir()):
        try:
            found = json.loads((out / SYNTHETIC_MARKER).read_text())
        except (OSError, ValueError):
            raise UserError(
                f"{out} is not empty and holds no synthetic set; name a new folder"
            ) from None
        if found.get("finished"):
            raise UserError(f"{out} holds a finished synthetic set; use it or name a new folder")
        if found.get("parameters") != parameters:
            raise UserError(
                f"{out} holds an unfinished synthetic set with other parameters; repeat them, "
                "delete the folder or name a new one"
            )
    (out / _UNFINISHED).mkdir(parents=True, exist_ok=True)
    _write_json(out / SYNTHETIC_MARKER, _marker(parameters, finished=False))
    (out / "README.txt").write_text(_README)


def _plan(
    out: Path, identities: int, seed: int, methods: dict[str, tuple[str, ...]]
) -> list[ClipPlan]:
    """Plan every video of the set, reals first."""
    folder = out / "original_sequences" / "youtube" / "c23" / "videos"
    videos = [
        ClipPlan(folder / f"{person:03d}.mp4", SET, seed, person, None, ())
        for person in range(identities)
    ]
    for method, cues in methods.items():
        folder = out / "manipulated_sequences" / method / "c23" / "videos"
        for target in range(identities):
            donor = target ^ 1
            path = folder / f"{target:03d}_{donor:03d}.mp4"
            videos.append(ClipPlan(path, SET, seed, target, donor, cues))
    return videos


def _write_splits(folder: Path, identities: int) -> None:
    """Write pairs of people for train, val and test in the format of FaceForensics++."""
    pairs = [[f"{a:03d}", f"{a + 1:03d}"] for a in range(0, identities, 2)]
    fifth = round(len(pairs) / 5)
    enough = len(pairs) >= 8
    val = max(fifth, 2 if enough else int(len(pairs) > 2))
    test = max(fifth, 3 if enough else 1)
    train = len(pairs) - val - test
    folder.mkdir(exist_ok=True)
    _write_json(folder / "train.json", pairs[:train])
    _write_json(folder / "val.json", pairs[train : train + val])
    _write_json(folder / "test.json", pairs[train + val :])


def _marker(parameters: dict[str, object], *, finished: bool) -> dict[str, object]:
    return {
        "synthetic": True,
        "note": "Drawn by a program from one public-domain photograph; no real recording, no real "
        "manipulation. A score on it means nothing for real deepfakes.",
        "finished": finished,
        "parameters": parameters,
        "encoding": {"codec": "libx264", "crf": CRF, "tune": "grain", "fps": FPS},
        "versions": {name: version(name) for name in _VERSIONED},
    }


def _describe(video: ClipPlan, out: Path) -> dict[str, object]:
    described: dict[str, object] = {
        "path": video.path.relative_to(out).as_posix(),
        "label": "real" if video.donor is None else "fake",
        "target": f"{video.target:03d}",
    }
    if video.donor is not None:
        described |= {
            "source": f"{video.donor:03d}",
            "cues": list(video.cues),
            "marks": asdict(video.marks()),
        }
    return described


def _write_json(path: Path, content: object) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(content, indent=1) + "\n")
    partial.replace(path)
