from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_prep.store.store import Clip, Store, write_store
from search.samples.augmentation import augment, view_generator
from search.samples.samples import (
    GAN_FAKE,
    PSEUDO_FAKE,
    Part,
    Samples,
    Walks,
    clips_of,
    training_samples,
    validation_samples,
)


@pytest.fixture
def paired(make_clips: Callable[..., list[Clip]], tmp_path: Path) -> Store:
    """A store whose fakes name their originals, of two methods; one person has many clips."""
    clips = []
    for clip in make_clips(8):
        real = f"set/real/c23/{clip.key[-3:]}"
        clips.append(dataclasses.replace(clip, crop_source=real if clip.label else ""))
        if clip.label and clip.group == "person000":
            for copy in range(3):
                key = f"set/other/c23/{copy}"
                clips.append(dataclasses.replace(clip, key=key, method="Other", crop_source=real))
    write_store(tmp_path / "paired.h5", clips, [], {"synthetic": True})
    with Store(tmp_path / "paired.h5") as opened:
        yield opened


def test_training_is_every_clip_and_a_pseudo_fake_of_every_real_one(store: Store) -> None:
    samples = training_samples(store, 0.5)
    rows = store.rows("train")
    reals = store.rows("train", 0)
    np.testing.assert_array_equal(samples.rows, np.concatenate([rows, reals]))
    np.testing.assert_array_equal(samples.labels[: len(rows)], store.labels[rows])
    assert (samples.labels[len(rows) :] == 1).all()
    assert (samples.methods[len(rows) :] == PSEUDO_FAKE).all()
    np.testing.assert_array_equal(samples.groups, store.groups[samples.rows])


def test_without_pseudo_fakes_training_is_the_split_and_with_them_alone_no_stored_fake(
    store: Store,
) -> None:
    np.testing.assert_array_equal(training_samples(store).rows, store.rows("train"))
    alone = training_samples(store, 1.0)
    assert set(alone.methods) == {"real", PSEUDO_FAKE}
    assert set(alone.rows) == set(store.rows("train", 0))


def test_validation_has_as_many_fixed_pseudo_fakes_of_every_real_clip(store: Store) -> None:
    rows, reals = store.rows("val"), store.rows("val", 0)
    np.testing.assert_array_equal(validation_samples(store).rows, rows)
    samples = validation_samples(store, pseudo_fakes=True)
    made = samples.rows[len(rows) :].reshape(-1, len(reals))
    assert len(made) > 1
    assert (made == reals).all()
    places = np.arange(len(rows), len(samples))
    first = samples.make(places, ["frames"])["frames"]
    again = validation_samples(store, pseudo_fakes=True).make(places, ["frames"])["frames"]
    np.testing.assert_array_equal(first, again)
    assert len({clip.tobytes() for clip in first}) == len(first), "two pseudo-fakes are the same"
    assert (samples.labels[places] == 1).all()


def test_a_store_without_real_validation_clips_has_no_pseudo_fakes_there(
    make_clips: Callable[..., list[Clip]], tmp_path: Path
) -> None:
    clips = [clip for clip in make_clips(8) if clip.split != "val" or clip.label]
    write_store(tmp_path / "s.h5", clips, [], {})
    with Store(tmp_path / "s.h5") as opened:
        assert len(validation_samples(opened, pseudo_fakes=True).parts) == 1


def test_clips_are_made_as_they_are_and_views_differ_and_are_repeated(store: Store) -> None:
    rows = store.rows("train")
    plain = clips_of(store, rows).make(np.arange(3), ["frames"])["frames"]
    np.testing.assert_array_equal(plain, store.read(rows[:3]))
    samples = training_samples(store, augmentation="light")
    changed = samples.make(np.arange(3), ["frames"], np.array([0, 1, 0]))["frames"]
    for at, view in enumerate((0, 1, 0)):
        wanted = store.read(rows[[at]])[0]
        augment({"frames": wanted}, view_generator(view, str(store.keys[rows[at]])))
        np.testing.assert_array_equal(changed[at], wanted)
        assert (changed[at] != plain[at]).any()
    other = samples.make(np.array([1]), ["frames"], np.array([1]))["frames"]
    np.testing.assert_array_equal(changed[1], other[0])


def test_a_pseudo_fake_differs_from_its_clip_and_between_views(store: Store) -> None:
    samples = training_samples(store, 0.5)
    place = len(store.rows("train"))
    clip = store.read(samples.rows[[place]])[0]
    views = [samples.make(np.array([place]), ["frames"], np.array([v]))["frames"] for v in (0, 1)]
    assert all((view[0] != clip).any() for view in views)
    assert (views[0] != views[1]).any()


def test_a_fake_is_augmented_as_the_clip_it_was_made_from(paired: Store) -> None:
    samples = training_samples(paired, augmentation="light")
    fake = int(np.flatnonzero(samples.methods == "Other")[0])
    real = samples.sources[fake]
    wanted = paired.read(samples.rows[[fake]])[0]
    augment({"frames": wanted}, view_generator(3, str(real)))
    made = samples.make(np.array([fake]), ["frames"], np.array([3]))["frames"][0]
    assert real != paired.keys[samples.rows[fake]]
    np.testing.assert_array_equal(made, wanted)


def test_what_does_not_see_the_frames_is_not_changed_by_a_pseudo_fake() -> None:
    part = Part("train real", np.arange(3), number=1)
    assert part.changes(["audio"]).is_plain
    assert part.changes(["flow"]).is_plain
    assert not part.changes(["frames"]).is_plain
    augmented = dataclasses.replace(part, augmentation="strong")
    assert augmented.changes(["audio"]).is_plain
    found = augmented.changes(["frames"]), augmented.changes(["flow"]), part.changes(["frames"])
    assert len({changes.key for changes in found}) == 3


def test_the_keys_of_changes_stay_since_caches_are_found_by_them() -> None:
    walks = Walks(np.zeros((1, 4, 16, 16, 3), np.uint8), "7x4")
    part = Part("train real", np.arange(3), 2, "strong", 8, walks=walks)
    assert part.changes(["frames", "flow"]).key == "GAN fake+2+7x4|strong|8"
    assert Part("val", np.arange(3)).changes(["frames"]).key == "|none|0"


def test_balance_gives_labels_methods_and_people_equal_shares(paired: Store) -> None:
    samples = training_samples(paired, 0.5)
    frequency = samples.balanced(0.4)
    assert frequency.sum() == pytest.approx(1)
    assert frequency[samples.labels == 1].sum() == pytest.approx(0.5)
    for method, share in (("Drawn", 0.15), ("Other", 0.15), (PSEUDO_FAKE, 0.2), ("real", 0.5)):
        ours = samples.methods == method
        assert frequency[ours].sum() == pytest.approx(share)
        people = [frequency[ours & (samples.groups == g)].sum() for g in set(samples.groups[ours])]
        assert people == pytest.approx([share / len(people)] * len(people))


def test_pseudo_fakes_have_the_shape_of_the_mesh_where_the_store_has_one(
    make_clips: Callable[..., list[Clip]], tmp_path: Path
) -> None:
    made = {}
    for name, corner in (("none", np.nan), ("left", 4.0), ("right", 20.0)):
        clips = []
        for clip in make_clips(4):
            mesh = np.full((len(clip.frames), 468, 2), corner, np.float16)
            mesh += np.arange(468, dtype=np.float16)[:, None] % np.float16([5, 7])
            clips.append(dataclasses.replace(clip, modalities={"landmarks468": mesh}))
        write_store(tmp_path / f"{name}.h5", clips, [], {"synthetic": True})
        with Store(tmp_path / f"{name}.h5") as store:
            samples = training_samples(store, 1.0)
            fakes = np.flatnonzero(samples.labels)
            views = np.repeat(np.arange(8), len(fakes))
            fakes = np.tile(fakes, 8)
            frames = samples.make(fakes, ["frames"], views)["frames"]
            plain = store.read(samples.rows[fakes])
            made[name] = (frames != plain).any(axis=-1).mean(axis=(0, 1))
    # Every other pseudo-fake is an oval, also where there is a mesh.
    left, right = (made[name][:, :12].sum() / made[name].sum() for name in ("left", "right"))
    assert left > right
    assert np.isfinite(made["none"]).all()
    assert (made["none"] > 0).any()


@pytest.mark.parametrize("label", [0, 1])
def test_one_label_alone_has_everything(store: Store, label: int) -> None:
    frequency = clips_of(store, store.rows("train", label)).balanced()
    assert frequency.sum() == pytest.approx(1)
    assert (frequency > 0).all()


def test_a_store_whose_fakes_name_no_original_has_pairs_of_pseudo_fakes_alone(store: Store) -> None:
    samples = Samples(store, training_samples(store, 0.5).parts)
    clips = len(store.rows("train"))
    assert len(set(samples.sources[:clips])) == clips
    np.testing.assert_array_equal(samples.sources[clips:], store.keys[samples.rows[clips:]])


def test_gan_fakes_are_a_method_beside_those_of_the_store(paired: Store) -> None:
    rng = np.random.default_rng(0)
    walks = Walks(rng.integers(0, 256, (5, 4, 16, 16, 3), np.uint8), "noise")
    samples = training_samples(paired, 0.5, walks=walks)
    ours = np.flatnonzero(samples.methods == GAN_FAKE)
    np.testing.assert_array_equal(samples.rows[ours], paired.rows("train", 0))
    assert (samples.labels[ours] == 1).all()
    # Beside two methods of the store it has a third of what pseudo-fakes leave.
    assert samples.balanced(0.5)[ours].sum() == pytest.approx(0.5 * 0.5 / 3)
    made = [samples.make(ours[:2], ["frames"], np.array([v, v]))["frames"] for v in (0, 1, 0)]
    np.testing.assert_array_equal(made[0], made[2])
    assert (made[0] != made[1]).any()
    assert (made[0] != paired.read(samples.rows[ours[:2]])).any()
    other = Walks(walks.faces, "others")
    parts = [training_samples(paired, 0.5, walks=which).parts[-1] for which in (walks, other)]
    assert len({part.changes(["frames"]).key for part in (*parts, samples.parts[1])}) == 3


def test_fewer_frames_of_a_clip_have_fewer_of_a_walk(paired: Store) -> None:
    faces = np.random.default_rng(0).integers(0, 256, (5, 4, 16, 16, 3), np.uint8)
    samples = training_samples(paired, 0.5, "strong", 2, Walks(faces, "noise"))
    place = np.flatnonzero(samples.methods == GAN_FAKE)[:1]
    assert samples.make(place, ["frames"], np.array([0]))["frames"].shape[1] == 2


def test_where_pseudo_fakes_are_to_be_alone_there_are_no_gan_fakes(store: Store) -> None:
    walks = Walks(np.zeros((1, 4, 16, 16, 3), np.uint8), "black")
    assert GAN_FAKE not in training_samples(store, 1.0, walks=walks).methods


@pytest.fixture
def with_faces(make_clips: Callable[..., list[Clip]], tmp_path: Path) -> Store:
    """The clips of 8 people, and real-only stills of 12 more in train and 4 in val."""
    clips = make_clips(8)
    for number in range(16):
        split = "val" if number % 4 == 3 else "train"
        still = dataclasses.replace(
            clips[0],
            key=f"faces/real/unknown/{number:02d}",
            group=f"face{number:02d}",
            split=split,
            source="faces",
            role="real-only",
            still=True,
        )
        clips.append(still)
    write_store(tmp_path / "faces.h5", clips, [], {"synthetic": True})
    with Store(tmp_path / "faces.h5") as opened:
        yield opened


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_real_only_clips_are_as_frequent_among_reals_as_their_pseudo_fakes_among_fakes(
    with_faces: Store, share: float
) -> None:
    samples = training_samples(with_faces, share, frames=1)
    frequency = samples.balanced(share)
    assert samples.real_only.sum() == 24
    assert frequency.sum() == pytest.approx(1)
    of_label = [frequency[samples.labels == label].sum() for label in (0, 1)]
    assert of_label == pytest.approx([0.5, 0.5])
    shares = [frequency[(samples.labels == label) & samples.real_only].sum() for label in (0, 1)]
    assert shares[0] > 0
    assert shares[0] == pytest.approx(shares[1])


def test_real_only_clips_are_no_reals_beside_the_fakes_of_the_data_set(with_faces: Store) -> None:
    assert not training_samples(with_faces, frames=1).real_only.any()
    assert not validation_samples(with_faces).real_only.any()
    for split in ("train", "val", "test"):
        assert not with_faces.real_only[with_faces.rows(split)].any()


def test_stills_are_left_out_where_motion_is_seen(with_faces: Store) -> None:
    still = with_faces.origins.stills
    assert not still[training_samples(with_faces, 0.5).rows].any()
    assert still[training_samples(with_faces, 0.5, frames=1).rows].any()
    assert not still[validation_samples(with_faces, pseudo_fakes=True).rows].any()


def test_validation_has_real_only_clips_beside_their_pseudo_fakes(with_faces: Store) -> None:
    samples = validation_samples(with_faces, pseudo_fakes=True, frames=1)
    assert len(samples.parts[0]) == len(with_faces.rows("val"))
    assert not samples.real_only[: len(samples.parts[0])].any()
    material = set(with_faces.rows("val", 0)) | set(with_faces.real_only_rows("val"))
    made = samples.methods == PSEUDO_FAKE
    assert set(samples.rows[made]) == material
    assert set(samples.rows[~made & samples.real_only]) == set(with_faces.real_only_rows("val"))
    rows, counts = np.unique(samples.rows[made], return_counts=True)
    assert len(set(counts)) == 1
    assert len(rows) == len(material)
