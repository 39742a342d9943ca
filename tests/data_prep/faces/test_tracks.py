"""Faces are followed through the frames, and looked for only where they may have moved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.errors import VideoError
from data_prep.faces.centerface import CenterFace
from data_prep.faces.crops import crop_boxes
from data_prep.faces.detection import Detection
from data_prep.faces.tracks import FaceTrack, find_tracks
from data_prep.video.video import read_frames

Maker = Callable[..., Detection]
Frame = npt.NDArray[np.uint8]


class _Known:
    """Finds in the frame numbered t what it was given for t; keeps count of its looks."""

    side = 320
    threshold = 0.5
    second_threshold = 0.4

    def __init__(self, faces: Sequence[Sequence[Detection]], hidden: Sequence[int] = ()) -> None:
        self.faces = faces
        self.hidden = hidden
        self.looked: list[int] = []
        self.looked_again: list[int] = []

    def detect(
        self, frame: Frame, *, side: int | None = None, threshold: float | None = None
    ) -> list[Detection]:
        at = int(frame[0, 0, 0])
        if side is None:
            self.looked.append(at)
            return [] if at in self.hidden else list(self.faces[at])
        self.looked_again.append(at)
        # Seen where nothing is put around the frame.
        return list(self.faces[at]) if frame.shape[:2] == (480, 640) else []


def _numbered(count: int) -> list[Frame]:
    return [np.full((480, 640, 3), at, np.uint8) for at in range(count)]


def _find(
    faces: Sequence[Sequence[Detection]], *, every: int = 1, hidden: Sequence[int] = ()
) -> tuple[list[FaceTrack], _Known]:
    detector = _Known(faces, hidden)
    return find_tracks(_numbered(len(faces)), detector, every=every), detector


def _centres(track: FaceTrack) -> npt.NDArray[np.float32]:
    return (track.boxes[:, 0] + track.boxes[:, 2]) / 2


def test_a_moving_face_is_one_track(
    centerface: CenterFace, face_frames: Callable[[int], Iterator[Frame]]
) -> None:
    (found,) = find_tracks(list(face_frames(8)), centerface)
    assert found.coverage == 1
    assert np.all(np.diff(found.boxes[:, 0]) > 5)
    assert found.boxes.shape == (8, 4)
    assert found.landmarks.shape == (8, 5, 2)
    assert found.boxes.dtype == found.landmarks.dtype == found.scores.dtype == np.float32


def test_a_frame_without_the_face_gets_an_interpolated_box_and_score_0(made_face: Maker) -> None:
    (found,), _ = _find([[made_face(100, 100)], [], [made_face(140, 100)], []])
    assert found.coverage == 0.5
    np.testing.assert_allclose(found.scores, [0.9, 0, 0.9, 0])
    np.testing.assert_allclose(_centres(found), [100, 120, 140, 140])
    np.testing.assert_allclose(found.landmarks[1], made_face(120, 100).landmarks, rtol=1e-5)


def test_a_still_face_is_looked_for_in_every_fourth_frame_only(made_face: Maker) -> None:
    (found,), detector = _find([[made_face(100, 100)]] * 16, every=4)
    assert sorted(detector.looked) == [0, 4, 8, 11, 15]
    assert np.flatnonzero(~np.isnan(found.scores)).tolist() == [0, 4, 8, 11, 15]
    assert found.coverage == 1
    np.testing.assert_allclose(found.boxes, np.tile(made_face(100, 100).box, (16, 1)))


def test_where_the_face_moves_the_frames_between_are_looked_at_too(made_face: Maker) -> None:
    places = [100] * 9 + [110, 120, 130] + [140] * 5
    (found,), detector = _find([[made_face(x, 100)] for x in places], every=4)
    assert sorted(detector.looked) == [0, 4, 8, 9, 10, 11, 12, 16]
    np.testing.assert_allclose(_centres(found), places)


@pytest.mark.parametrize("change", ["size", "number", "lost"])
def test_whatever_changes_between_two_looks_is_looked_at(change: str, made_face: Maker) -> None:
    before = [made_face(100, 100)]
    after = {
        "size": [made_face(100, 100, 120)],
        "number": [made_face(100, 100), made_face(400, 300)],
        "lost": [],
    }[change]
    _, detector = _find([before] * 7 + [after] * 2, every=8)
    assert sorted(detector.looked) == [0, 4, 6, 7, 8]


def test_every_frame_is_looked_at_once_at_most(made_face: Maker) -> None:
    _, detector = _find([[made_face(100 + 30 * (t % 2), 100)] for t in range(16)], every=4)
    assert len(detector.looked) == len(set(detector.looked))


def test_a_repeated_frame_counts_as_looked_at_and_costs_nothing(made_face: Maker) -> None:
    frames = [frame for frame in _numbered(4) for _ in range(3)]
    detector = _Known([[made_face(100 + 20 * t, 100)] for t in range(4)])
    (found,) = find_tracks(frames, detector, every=1)
    assert detector.looked == [0, 1, 2, 3]
    np.testing.assert_allclose(_centres(found), np.repeat([100, 120, 140, 160], 3))
    assert not np.isnan(found.scores).any()


def test_coverage_counts_repeated_frames(made_face: Maker) -> None:
    first, second = _numbered(2)
    detector = _Known([[made_face(100, 100)], []])
    (found,) = find_tracks([first, second, second, second], detector)
    np.testing.assert_allclose(found.scores, [0.9, 0, 0, 0])
    assert found.coverage == 0.25


def test_frames_without_a_face_are_looked_at_again_when_most_have_none(made_face: Maker) -> None:
    faces = [[made_face(100, 100)]] * 8
    (found,), detector = _find(faces, hidden=[0, 1, 2, 4, 5, 6])
    assert sorted(set(detector.looked_again)) == [0, 1, 2, 4, 5, 6]
    assert found.coverage == 1


def test_a_face_that_is_found_in_most_frames_needs_no_second_look(made_face: Maker) -> None:
    (found,), detector = _find([[made_face(100, 100)]] * 8, hidden=[2, 5])
    assert detector.looked_again == []
    assert found.coverage == 0.75


def test_a_face_seen_at_second_looks_alone_is_still_looked_for_sparsely(made_face: Maker) -> None:
    (found,), detector = _find([[made_face(100, 100)]] * 16, every=4, hidden=range(16))
    assert sorted(set(detector.looked_again)) == [0, 4, 8, 11, 15]
    assert found.coverage == 1


def test_the_track_stays_on_one_person_when_the_order_of_detections_changes(
    made_face: Maker,
) -> None:
    left, right = made_face(100, 100, 90), made_face(400, 100)
    tracks, _ = _find([[left, right] if t % 2 else [right, left] for t in range(6)])
    assert len(tracks) == 2
    assert all(np.ptp(found.boxes[:, 0]) < 1 for found in tracks)


def test_two_people_who_meet_keep_their_tracks(made_face: Maker) -> None:
    places = [(100 + 20 * t, 400 - 20 * t) for t in range(8)]
    frames = [[made_face(a, 100, 80), made_face(b, 160, 80)] for a, b in places]
    tracks, _ = _find(frames)
    assert len(tracks) == 2
    moves = sorted(np.diff(_centres(found)).tolist() for found in tracks)
    np.testing.assert_allclose(moves, [[-20] * 7, [20] * 7])


def test_a_face_may_move_two_sides_between_frames_but_not_more(made_face: Maker) -> None:
    near, _ = _find([[made_face(100, 100)], [made_face(295, 100)]])
    far, _ = _find([[made_face(100, 100)], [made_face(305, 100)]])
    assert (len(near), len(far)) == (1, 2)


def test_a_face_of_quite_another_size_is_another_one(made_face: Maker) -> None:
    same, _ = _find([[made_face(100, 100, 60)], [made_face(100, 100, 115)]])
    other, _ = _find([[made_face(100, 100, 60)], [made_face(100, 100, 125)]])
    assert (len(same), len(other)) == (1, 2)


def test_a_short_appearance_does_not_win_by_size(made_face: Maker) -> None:
    frames = [[made_face(100, 100)] for _ in range(8)]
    frames[3].append(made_face(400, 200, side=190))
    tracks, _ = _find(frames)
    np.testing.assert_allclose(tracks[0].boxes[3], made_face(100, 100).box)
    assert [found.coverage for found in tracks] == [1, 0.125]


def test_the_larger_of_two_lasting_faces_is_the_main_one(made_face: Maker) -> None:
    frames = [[made_face(100, 100, 60), made_face(400, 100, 100)] for _ in range(8)]
    frames[0].pop()
    tracks, _ = _find(frames)
    assert tracks[0].boxes[4, 0] == 350
    assert tracks[0].scores[0] == 0


def test_of_two_equal_faces_the_central_one_is_the_main_one(made_face: Maker) -> None:
    tracks, _ = _find([[made_face(50, 50), made_face(320, 240)] for _ in range(4)])
    assert tracks[0].boxes[0, 0] == 270


def test_no_face_at_all_is_said() -> None:
    with pytest.raises(VideoError) as raised:
        _find([[]] * 16, every=4)
    assert raised.value.step == "faces"
    assert raised.value.reason == "no face found in any of the 16 sampled frames"


def test_one_frame_is_enough(made_face: Maker) -> None:
    (found,), _ = _find([[made_face(100, 100)]], every=4)
    assert found.boxes.shape == (1, 4)
    assert found.coverage == 1


def test_a_scaled_track_fits_scaled_frames(made_face: Maker) -> None:
    (found,), _ = _find([[made_face(100, 100)]] * 2)
    scaled = found.scaled(2, 0.5)
    np.testing.assert_allclose(scaled.boxes[0], [100, 25, 300, 75])
    np.testing.assert_allclose(scaled.landmarks, found.landmarks * [2, 0.5])
    assert scaled.boxes.dtype == scaled.landmarks.dtype == np.float32
    np.testing.assert_array_equal(scaled.scores, found.scores)
    assert scaled.coverage == found.coverage


_numbers = st.floats(-1e5, 1e5, width=32)
_faces = st.builds(
    lambda corner, sides, landmarks, score: Detection(
        np.array([*corner, corner[0] + sides[0], corner[1] + sides[1]], np.float32),
        np.array(landmarks, np.float32).reshape(5, 2),
        score,
    ),
    st.tuples(_numbers, _numbers),
    st.tuples(st.floats(0, 1e4, width=32), st.floats(0, 1e4, width=32)),
    st.lists(_numbers, min_size=10, max_size=10),
    st.floats(0.4, 1),
)


@settings(max_examples=80, deadline=None)
@given(
    looks=st.lists(st.lists(_faces, max_size=3), min_size=1, max_size=12),
    every=st.integers(1, 14),
)
def test_whatever_is_found_the_tracks_are_whole(looks: list[list[Detection]], every: int) -> None:
    frames = [np.full((4, 4, 3), at, np.uint8) for at in range(len(looks))]
    detector = _Known(looks)
    try:
        tracks = find_tracks(frames, detector, every=every)
    except VideoError:
        assert not any(looks[at] for at in detector.looked)
        return
    looked = sorted(set(detector.looked))
    assert {0, len(looks) - 1} <= set(looked)
    assert max(np.diff(looked), default=0) <= every
    for found in tracks:
        assert found.boxes.shape == (len(looks), 4)
        assert found.landmarks.shape == (len(looks), 5, 2)
        assert np.isfinite(found.boxes).all()
        assert np.isfinite(found.landmarks).all()
        assert np.flatnonzero(~np.isnan(found.scores)).tolist() == looked
        assert 0 < found.coverage <= 1
        assert found.coverage == np.count_nonzero(found.scores > 0) / len(looked)
    # Every face found in a frame is part of one track and no other.
    for at in looked:
        assert sum(found.scores[at] > 0 for found in tracks) == len(looks[at])
    assert tracks[0].coverage >= 0.8 * max(found.coverage for found in tracks)


@pytest.mark.slow
def test_fewer_looks_give_nearly_the_same_crops_on_real_videos(
    real_data: Path, centerface: CenterFace
) -> None:
    talks = sorted(path for path in (real_data / "real_clips").rglob("*.*") if path.is_file())
    shows = sorted((real_data / "ffpp").rglob("*.mp4"))
    assert talks
    assert shows
    overlaps, shares = [], []
    for path in talks[::4] + shows[::4]:
        frames = read_frames(path, 16).frames
        full, fewer = (find_tracks(frames, centerface, every=every)[0] for every in (1, 4))
        overlaps.append(_overlap(crop_boxes(full.boxes), crop_boxes(fewer.boxes)))
        if path in talks:
            shares.append(np.mean(~np.isnan(fewer.scores)))
    # Looks at the surroundings of a face tremble as much as whole ones do, but not alike.
    assert np.percentile(overlaps, 5) >= 0.9
    # People who are filmed in a studio keep still; those of other videos do not.
    assert np.mean(shares) <= 0.5


def _overlap(
    squares: npt.NDArray[np.float32], others: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    corners = np.maximum(squares[:, :2], others[:, :2]), np.minimum(squares[:, 2:], others[:, 2:])
    shared = np.clip(corners[1] - corners[0], 0, None).prod(axis=1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (squares, others)]
    return np.asarray(shared / (areas[0] + areas[1] - shared), np.float32)


def test_frames_looked_at_before_are_not_looked_at_again(made_face: Maker) -> None:
    faces = [[made_face(100 + 8 * at, 100)] for at in range(12)]
    frames, detector = _numbered(12), _Known(faces)
    looks: dict[int, Sequence[Detection]] = {}
    (alone,) = find_tracks(frames[4:], _Known(faces), every=1)
    find_tracks(frames[:8], detector, every=1, looks=looks)
    assert sorted(looks) == list(range(8))
    detector.looked.clear()
    later = {at - 4: found for at, found in looks.items() if at >= 4}
    (track,) = find_tracks(frames[4:], detector, every=1, looks=later)
    assert sorted(detector.looked) == [8, 9, 10, 11]
    assert sorted(later) == list(range(8))
    np.testing.assert_array_equal(track.boxes, alone.boxes)
    assert track.coverage == 1
