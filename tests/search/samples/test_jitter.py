"""Jitter moves all frames of a clip in one way, within its limits."""

from __future__ import annotations

import cv2
import numpy as np

from search.samples.augmentation import augment
from search.samples.jitter import DEGREES, SHIFT, ZOOM, jitter


def test_all_frames_move_in_one_way_and_the_clip_is_left_alone() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 4), np.uint8).repeat(3, axis=0)
    before = frames.copy()
    moved = jitter(frames, np.random.default_rng(1))
    assert moved.shape == frames.shape
    assert (moved == moved[:1]).all()
    assert (moved != frames).any()
    np.testing.assert_array_equal(frames, before)


def test_two_points_move_within_the_limits() -> None:
    size = 200
    points = np.array([[70, 100], [130, 100]])
    seen = []
    for seed in range(60):
        frame = np.zeros((1, size, size, 4), np.uint8)
        for number, (x, y) in enumerate(points):
            blob = np.zeros((size, size), np.uint8)
            cv2.circle(blob, (int(x), int(y)), 4, 255, -1)
            frame[0, ..., number] = blob
        moved = jitter(frame, np.random.default_rng(seed))[0].astype(float)
        y, x = np.mgrid[:size, :size]
        centres = [
            [(x * moved[..., n]).sum(), (y * moved[..., n]).sum()] / moved[..., n].sum()
            for n in range(2)
        ]
        across = centres[1] - centres[0]
        middle = np.mean(centres, axis=0) - points.mean(axis=0)
        seen.append([np.hypot(*across) / 60, np.degrees(np.arctan2(across[1], across[0])), *middle])
    zoom, turn, right, down = np.array(seen).T
    assert ZOOM[0] - 0.02 < zoom.min() < 0.93
    assert 1.07 < zoom.max() < ZOOM[1] + 0.02
    assert 0.5 * DEGREES < np.abs(turn).max() < DEGREES + 1
    for shift in (right, down):
        assert 0.5 * SHIFT * size < np.abs(shift).max() < SHIFT * size + 2


def test_a_jittered_clip_is_a_strong_one_that_is_moved() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 4), np.uint8)
    made = {}
    for strength in ("strong", "jittered"):
        clip = {"frames": frames.copy()}
        augment(clip, np.random.default_rng(5), strength=strength)  # type: ignore[arg-type]
        made[strength] = clip["frames"]
    assert (made["strong"] != made["jittered"]).any()
