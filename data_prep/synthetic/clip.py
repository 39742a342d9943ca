"""One synthetic clip from its plan: people drawn from seeds, rendered, encoded, put in place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
from moviepy import ImageSequenceClip
from numpy.typing import NDArray

from data_prep.synthetic.motion import (
    head_coordinates,
    make_view,
    sample_expression,
    sample_head_motion,
)
from data_prep.synthetic.people import sample_identity
from data_prep.synthetic.swap import (
    Marks,
    Recording,
    paste_mask,
    render_fake,
    render_real,
    sample_marks,
)

FPS = 25
CRF = 23
"""The constant rate factor of FaceForensics++ c23, whose folder name the set uses."""

# First words of every random seed: people of a set never coincide with those of single clips.
SET, SINGLE_CLIP = 1, 2
_PERSON, _MARKS, _SWAP = 0, 1, 2


@dataclass(frozen=True)
class ClipPlan:
    """One clip to make: a person filmed, or a person with another's face.

    Attributes:
        path: the .mp4 to write.
        domain: ``SET`` or ``SINGLE_CLIP``; the same number is another person in each.
        seed: the seed of the set or clip.
        target: number of the person filmed.
        donor: number of the person whose face they wear; None for a real clip.
        cues: the marks a fake carries.
    """

    path: Path
    domain: int
    seed: int
    target: int
    donor: int | None
    cues: tuple[str, ...]

    def marks(self) -> Marks:
        """Return the strength of each cue of a fake."""
        return sample_marks(_generator(self.domain, self.seed, _MARKS, self.target), self.cues)


def make_clip(plan: ClipPlan, frames: int, size: int, scratch: Path) -> None:
    """Render and write one video; it appears under its name only when it is whole."""
    recording = _record(plan.domain, plan.seed, plan.target, frames)
    if plan.donor is None:
        clip = render_real(recording, size)
    else:
        donor = _record(plan.domain, plan.seed, plan.donor, frames).identity
        swap_seed = int(_generator(plan.domain, plan.seed, _SWAP, plan.target).integers(2**31))
        clip = render_fake(recording, donor, plan.marks(), size, swap_seed)
    plan.path.parent.mkdir(parents=True, exist_ok=True)
    scratch.mkdir(parents=True, exist_ok=True)
    partial = scratch / f".{uuid4().hex}.mp4"
    try:
        _encode(clip, partial)
        partial.replace(plan.path)
    finally:
        partial.unlink(missing_ok=True)


def pasted_region(plan: ClipPlan, frames: int, size: int) -> NDArray[np.float32]:
    """Return the pasted share of each pixel of a fake, float32 (T, size, size), 0..1.

    The jitter of the ``temporal`` mark, about a pixel, is left out.
    """
    recording = _record(plan.domain, plan.seed, plan.target, frames)
    view, feather = make_view(recording.identity, size), plan.marks().feather
    places = (head_coordinates(view, recording.head, frame) for frame in range(frames))
    return np.stack([paste_mask(x, y, feather)[..., 0] for x, y in places])


def _record(domain: int, seed: int, person: int, frames: int) -> Recording:
    """Record a person's only clip."""
    rng = _generator(domain, seed, _PERSON, person)
    return Recording(
        identity=sample_identity(rng),
        noise_seed=int(rng.integers(2**31)),
        head=sample_head_motion(rng, frames),
        expression=sample_expression(rng, frames),
    )


def _generator(*words: int) -> np.random.Generator:
    return np.random.default_rng(list(words))


def _encode(clip: NDArray[np.uint8], path: Path) -> None:
    ImageSequenceClip(list(clip), fps=FPS).write_videofile(
        str(path),
        codec="libx264",
        audio=False,
        logger=None,
        preset="veryfast",
        # The encoder's output depends on its number of threads.
        threads=1,
        ffmpeg_params=[
            "-crf", str(CRF), "-tune", "grain", "-pix_fmt", "yuv420p",
            "-metadata", "title=synthetic",
            "-metadata", "comment=synthetic clip drawn by deepfake-model-search, no real recording",
        ],
    )  # fmt: skip
