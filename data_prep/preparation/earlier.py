"""The clips of existing stores as videos: they keep their splits beside new ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from data_prep.errors import UserError
from data_prep.layouts.files import quote
from data_prep.layouts.layout import Video
from data_prep.preparation.clip import Preparation
from data_prep.preparation.store_clips import find_hashes, video_key
from data_prep.store.format import FAKE
from data_prep.store.store import Store
from data_prep.text import printable
from data_prep.video.picture_hashes import Hashes


class Earlier:
    """An existing store that sources are added to. Usable as a context manager.

    Args:
        path: The store.
        preparation: Wanted settings of the clips; None, the defaults or those of the store.
        shard_clips: Most clips a file, None for one file.

    Attributes:
        store: The open store.
        preparation: Its settings of the clips.
        videos: Its videos.
        sources: Its sources as it records them.

    Raises:
        UserError: It cannot be read, has other settings, or is of a version without identities.
    """

    def __init__(
        self, path: Path, preparation: Preparation | None, shard_clips: int | None
    ) -> None:
        if path.is_dir() and shard_clips is None:
            raise UserError(f"{quote(path)} is a store of shards; pass --shard-clips as before")
        self.store = Store(path)
        try:
            self.preparation = Preparation.from_dict(self.store.preparation["clip"])
            if preparation not in (None, Preparation(), self.preparation):
                others = _differences(self.preparation, preparation)
                raise UserError(
                    f"{quote(path)} was prepared with {others}; clips of other settings do not fit "
                    "into it"
                )
            self.videos = stored_videos(self.store)
            self.sources: list[dict[str, Any]] = list(self.store.preparation.get("sources", ()))
        except BaseException:
            self.store.close()
            raise

    def __enter__(self) -> Earlier:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.store.close()

    def hashes(self) -> dict[str, Hashes]:
        """Return the perceptual hashes of its main faces by the key of the video."""
        return find_hashes(self.store)


def _differences(ours: Preparation, wanted: Preparation | None) -> str:
    theirs = {} if wanted is None else wanted.to_dict()
    return ", ".join(
        f"{name} = {value!r} and not {theirs[name]!r}"
        for name, value in ours.to_dict().items()
        if theirs[name] != value
    )


def stored_videos(store: Store) -> tuple[Video, ...]:
    """Return the videos of a store with their splits.

    The methods of a store of one source are qualified by its data set, as in one of several.

    Raises:
        UserError: The store is of a version that recorded no identities.
    """
    origins = store.origins
    if not origins.recorded:
        raise UserError(
            f"{quote(store.path)} is of an earlier version and names no identities; prepare it "
            "again"
        )
    single = len(set(origins.sources.tolist())) == 1
    videos: dict[str, Video] = {}
    for row, clip in enumerate(store.keys.tolist()):
        key = video_key(clip)
        if key in videos:
            continue
        method = str(store.methods[row])
        if single and store.labels[row] == FAKE:
            method = f"{origins.identities[row][0].partition(':')[0]}:{method}"
        videos[key] = Video(
            key=key,
            path=Path(str(store.paths[row])),
            label=int(store.labels[row]),
            method=method,
            quality=str(store.qualities[row]),
            identities=origins.identities[row],
            source=str(origins.sources[row]),
            role=str(origins.roles[row]),
            weight=float(origins.weights[row]),
            still=bool(origins.stills[row]),
            kept=str(store.splits[row]),
        )
    return tuple(videos.values())


def check_unchanged(store: Store, found: Sequence[Video]) -> None:
    """Refuse sources whose files have changed since they were prepared.

    Args:
        store: The earlier store.
        found: Videos of the sources.

    Raises:
        UserError: A file that the store has is of another size by now.
    """
    rows = {str(path): row for row, path in enumerate(store.paths)}
    changed = []
    for video in found:
        row = rows.get(printable(str(video.path)))
        if row is None or not video.path.is_file():
            continue
        if video.path.stat().st_size != store.media["bytes"][row]:
            changed.append(video)
    if changed:
        raise UserError(
            f"{len(changed)} files that {quote(store.path)} has are of another size by now, e.g. "
            f"{quote(changed[0].path)}; prepare the store again without --add"
        )
