"""What of a detector a run can build, and why it cannot build the rest."""

from __future__ import annotations

import pytest

from data_prep.store.store import Store
from search.config.feasible import obstacle_to, possible_streams
from search.config.run_config import RunConfig, resolve
from spaces.streams.names import STREAMS


def config_of(store: Store, trials: int = 1, frames: int = 0) -> RunConfig:
    return resolve(
        {
            "store": store.path,
            "run_dir": store.path.parent / "run",
            "space": {"streams": list(STREAMS)},
            "gan": {"trials": trials},
            "training": {"frames": frames},
        }
    )


@pytest.mark.parametrize("discriminator", [None, True])
def test_the_gan_stream_is_possible_before_its_stage_and_with_what_that_leaves(
    store: Store, discriminator: bool | None
) -> None:
    for frames in (0, 1):
        found = possible_streams(
            config_of(store, frames=frames), store, discriminator=discriminator
        )
        assert "gan" in found
        assert ("micro_expression" in found) == (frames == 0)


def test_a_run_that_trains_no_gan_says_so_from_the_start(store: Store) -> None:
    config = config_of(store, trials=0)
    assert obstacle_to("gan", config, store) == "gan.trials is 0, so no GAN is trained"
    assert "gan" not in possible_streams(config, store)


def test_a_stage_that_left_nothing_is_said_in_one_line_with_where_to_look(store: Store) -> None:
    config = config_of(store)
    reason = obstacle_to("gan", config, store, discriminator=False) or ""
    assert reason.startswith("no GAN trial completed; see why with: dfsearch leaderboard ")
    assert "\n" not in reason
    left = possible_streams(config, store, discriminator=False)
    assert left == ["spatial", "micro_expression", "noise_residual"]
