"""A GAN on photographs of real people, where ``DFSEARCH_REAL_DATA`` names a folder of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.preparation.clip import Preparation
from data_prep.preparation.job import Execution
from data_prep.preparation.prepare import prepare
from data_prep.store.format import REAL
from data_prep.store.store import Store
from search.gan.faces import real_faces, to_unit
from search.gan.measures import FaceMeasure
from search.gan.training import GanTraining
from search.stages.gan import fixed_latents
from spaces.gan.choices import GanChoices
from spaces.gan.features import face_features

PEOPLE = 60


@pytest.mark.slow
def test_kid_falls_as_a_convolutional_pair_learns_real_faces(
    real_data: Path, tmp_path: Path
) -> None:
    source = tmp_path / "people"
    source.mkdir()
    for person in sorted((real_data / "faces_lfw").iterdir())[:PEOPLE]:
        (source / person.name).symlink_to(person)
    prepare(
        source, tmp_path / "store.h5", Preparation(size=64), label=REAL, execution=Execution(jobs=2)
    )
    with Store(tmp_path / "store.h5") as store:
        train, held_out = (real_faces(store, split, 32) for split in ("train", "val"))
    measure = FaceMeasure(face_features("random", 32), to_unit(train), to_unit(held_out))
    choices = GanChoices("convolutional", generator_rate=5e-4, discriminator_rate=5e-4)
    training, latents = GanTraining(choices, train, seed=0), fixed_latents(choices, 0)
    reports = []
    for _ in range(3):
        training.advance(50)
        reports.append(measure(training.generated(latents)))
    assert reports[-1].kid < 0.5 * reports[0].kid
    assert reports[-1].kid + 3 * reports[-1].kid_error < reports[0].kid
    assert reports[-1].pairwise > 0.3
