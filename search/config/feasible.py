"""Streams that can be trained on the clips of a store. Free of TensorFlow."""

from __future__ import annotations

from data_prep.errors import UserError
from data_prep.store.format import FAKE
from data_prep.store.store import Store
from search.config.run_config import RunConfig
from spaces.streams.names import GAN, obstacle


def shown_frames(config: RunConfig, store: Store) -> int:
    """Count the frames of a clip in a training sample."""
    whole = store.clip_shape[0]
    return min(config.training.frames or whole, whole)


def obstacle_to(
    stream: str, config: RunConfig, store: Store, *, discriminator: bool | None = None
) -> str | None:
    """Return the reason to leave a stream out of a run on this store, or ``None``.

    Args:
        stream: stream of the configuration.
        config: run configuration.
        store: store of the run.
        discriminator: whether the GAN stage has kept one; ``None`` before that stage, which is then
            assumed to keep one.
    """
    if stream == GAN and not config.gan.trials:
        return "gan.trials is 0, so no GAN is trained"
    if stream == GAN and discriminator is False:
        return f"no GAN trial completed; see why with: dfsearch leaderboard {config.run_dir}"
    shown, whole = shown_frames(config, store), store.clip_shape[0]
    reason = obstacle(stream, shown, store.modalities, discriminator=True)
    if reason and not obstacle(stream, whole, store.modalities, discriminator=True):
        return f"training.frames is {shown}, and {reason}"
    return reason


def possible_streams(
    config: RunConfig, store: Store, *, discriminator: bool | None = None
) -> list[str]:
    """Return the streams of the configuration without an obstacle."""
    return [
        stream
        for stream in config.space.streams
        if not obstacle_to(stream, config, store, discriminator=discriminator)
    ]


def methods_of(store: Store) -> list[str]:
    """Return the manipulation methods that can be left out, by name.

    They are in training and in validation.

    Raises:
        UserError: there are fewer than two.
    """
    train, val = (set(store.methods[store.rows(split, FAKE)]) for split in ("train", "val"))
    both = sorted(map(str, train & val))
    if len(both) < 2:
        raise UserError(
            f"{store.path}: to leave one manipulation method out there must be two, each with "
            f"clips in training and in validation; there is {', '.join(both) or 'none'}. Take "
            "another objective, auc for one"
        )
    return both
