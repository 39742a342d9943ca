from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import skimage.data

from data_prep.video.flow import flow_and_strain
from data_prep.video.grey import with_grey
from search.samples.augmentation import augment, view_generator
from search.samples.face_regions import STANDARD


def mirroring_generator(wanted: bool) -> np.random.Generator:
    """The first generator whose clip is mirrored, or is not."""
    seed = next(s for s in range(99) if (np.random.default_rng(s).random() < 0.5) is wanted)
    return np.random.default_rng(seed)


@pytest.fixture
def clip() -> dict[str, npt.NDArray]:
    """A face that drifts to the right, with its flow and noise for sound."""
    face = cv2.resize(skimage.data.astronaut()[:200, 120:320], (80, 80))
    colour = np.stack([face[8:72, 12 - 3 * t : 76 - 3 * t] for t in range(4)])
    frames = with_grey(np.ascontiguousarray(colour))
    sound = np.random.default_rng(0).normal(size=(4, 64, 40)).astype(np.float16)
    return {"frames": frames, "flow": flow_and_strain(frames), "audio": sound}


def test_grey_stays_the_mean_and_the_frames_uint8(clip: dict[str, npt.NDArray]) -> None:
    frames, before = clip["frames"], clip["frames"].copy()
    augment({"frames": frames}, np.random.default_rng(0))
    assert frames.dtype == np.uint8
    assert (frames != before).any()
    np.testing.assert_allclose(frames[..., 3], frames[..., :3].mean(axis=-1), atol=0.51)


def test_the_flow_of_a_mirrored_clip_is_that_of_its_mirrored_frames(
    clip: dict[str, npt.NDArray],
) -> None:
    before = {name: array.copy() for name, array in clip.items()}
    augment(clip, mirroring_generator(True))
    assert before["flow"][..., 0].mean() > 2
    assert clip["flow"][..., 0].mean() == pytest.approx(-before["flow"][..., 0].mean(), rel=1e-2)
    found = flow_and_strain(np.ascontiguousarray(before["frames"][:, :, ::-1]))
    # The search is not quite symmetric: the inner half of the face is what both see alike.
    inner = np.s_[:, 8:24, 8:24]
    ours, theirs = clip["flow"][inner].astype(float), found[inner].astype(float)
    assert np.abs(ours - theirs).mean() < 0.1
    np.testing.assert_array_equal(clip["flow"][..., 1:], before["flow"][:, :, ::-1, 1:])
    assert clip["flow"].dtype == np.float16


def test_light_and_noise_leave_flow_as_it_is_and_sound_is_never_touched(
    clip: dict[str, npt.NDArray],
) -> None:
    before = {name: array.copy() for name, array in clip.items()}
    augment(clip, mirroring_generator(False))
    assert (clip["frames"] != before["frames"]).any()
    np.testing.assert_array_equal(clip["flow"], before["flow"])
    augment(clip, mirroring_generator(True))
    np.testing.assert_array_equal(clip["audio"], before["audio"])


def test_what_is_drawn_for_frames_does_not_depend_on_what_lies_beside_them(
    clip: dict[str, npt.NDArray],
) -> None:
    alone = {"frames": clip["frames"].copy()}
    flow_alone = {"flow": clip["flow"].copy()}
    for given in (alone, flow_alone, clip):
        augment(given, np.random.default_rng(4))
    np.testing.assert_array_equal(alone["frames"], clip["frames"])
    np.testing.assert_array_equal(flow_alone["flow"], clip["flow"])


def test_a_view_of_a_clip_is_drawn_alike_everywhere_and_unlike_all_others() -> None:
    def drawn(view: int, key: str) -> float:
        return float(view_generator(view, key).random())

    assert drawn(2, "set/real/c23/ä") == drawn(2, "set/real/c23/ä")
    assert len({drawn(view, key) for view in range(4) for key in ("a", "b", "ab")}) == 12


@pytest.mark.parametrize("wanted", [True, False])
def test_strong_changes_more_and_mirrors_as_light_does(
    clip: dict[str, npt.NDArray], wanted: bool
) -> None:
    before = {name: array.copy() for name, array in clip.items()}
    augment(clip, mirroring_generator(wanted), strength="strong")
    shown = before["frames"][:, :, ::-1] if wanted else before["frames"]
    alike, unlike = (
        np.corrcoef(clip["frames"][..., 3].ravel(), frames[..., 3].ravel())[0, 1]
        for frames in (shown, shown[:, :, ::-1])
    )
    assert alike > 0.7 > unlike
    flow = before["flow"][:, :, ::-1] * np.array([-1, 1, 1]) if wanted else before["flow"]
    np.testing.assert_array_equal(clip["flow"], flow.astype(np.float16))
    np.testing.assert_array_equal(clip["audio"], before["audio"])


def test_strong_spreads_sharpness_wider_than_light(clip: dict[str, npt.NDArray]) -> None:
    def spread(strength: str) -> float:
        found = []
        for seed in range(30):
            frames = clip["frames"].copy()
            augment({"frames": frames}, np.random.default_rng(seed), strength=strength)  # type: ignore[arg-type]
            found.append(np.log(cv2.Laplacian(frames[0, ..., 3], cv2.CV_32F).var()))
        return float(np.std(found))

    assert spread("strong") > 2 * spread("light")


def test_points_are_mirrored_with_the_clip(clip: dict[str, npt.NDArray]) -> None:
    points = np.stack([STANDARD * 64 + [4, 0]] * 4).astype(np.float32)
    given = {"frames": clip["frames"], "points": points.copy()}
    augment(given, mirroring_generator(True), strength="strong")
    np.testing.assert_allclose(given["points"][:, 0, 0], 63 - points[:, 1, 0])
    np.testing.assert_allclose(given["points"][:, 2], [63, 0] + points[:, 2] * [-1, 1])
    given["points"] = points.copy()
    augment(given, mirroring_generator(False), strength="strong")
    np.testing.assert_array_equal(given["points"], points)


def test_an_unknown_strength_is_refused(clip: dict[str, npt.NDArray]) -> None:
    with pytest.raises(ValueError, match="light, strong"):
        augment(clip, np.random.default_rng(0), strength="weak")  # type: ignore[arg-type]
