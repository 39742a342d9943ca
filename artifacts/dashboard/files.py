"""The files of a run as artifacts of its trials, in the terms of Optuna's artifact stores.

Nothing is copied or written. An artifact is a file of the run, or a picture drawn on request. Its
identity follows from its name.
"""

from __future__ import annotations

import dataclasses
import functools
import io
import json
import mimetypes
import uuid
from collections.abc import Callable, Iterable
from typing import BinaryIO

from optuna.artifacts.exceptions import ArtifactNotFound

from artifacts.dashboard.curve_picture import draw_curves
from artifacts.histories import HISTORY, read_curves
from artifacts.run_directory import RunDirectory, read_json
from data_prep.errors import UserError
from data_prep.files import read_bytes

_OF_TRIAL = (HISTORY, "error.txt", "faces.png")
CURVES = "curves.png"
_NAMESPACE = uuid.UUID("4f0e3c52-6a3b-5d0c-9a53-0f6f3a1f7a11")


@dataclasses.dataclass(frozen=True)
class Artifact:
    """One file of a trial.

    Attributes:
        id: hexadecimal, the same in every process.
        name: name of the file.
        read: returns its content; raises ``OSError`` if the file is missing by now.
    """

    id: str
    name: str
    read: Callable[[], bytes]

    def to_json(self) -> str:
        """Return the JSON that Optuna keeps of an artifact."""
        mimetype, encoding = mimetypes.guess_type(self.name)
        return json.dumps(
            {
                "artifact_id": self.id,
                "filename": self.name,
                "mimetype": mimetype or "application/octet-stream",
                "encoding": encoding,
            }
        )


class RunArtifacts:
    """An Optuna artifact store that reads the folder of a run and refuses to change it.

    Args:
        run: an open run directory.
    """

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        self._known: dict[str, Artifact] = {}

    def list_by_trial(self, stage: str, numbers: Iterable[int]) -> dict[int, list[Artifact]]:
        """Return the present artifacts of trials: history, curves, error, GAN faces, network."""
        origin = self._origin() if self._run.picture.is_file() else None
        found = {number: self._of_trial(stage, number) for number in numbers}
        if origin is not None and origin[0] == stage and origin[1] in found:
            place, picture = "/".join(map(str, origin)), self._run.picture
            read = functools.partial(read_bytes, picture)
            found[origin[1]].append(self._artifact(place, picture.name, read))
        return found

    def _of_trial(self, stage: str, number: int) -> list[Artifact]:
        folder, place = self._run.trial(stage, number), f"{stage}/{number}"
        found = [
            self._artifact(place, name, functools.partial(read_bytes, folder / name))
            for name in _OF_TRIAL
            if (folder / name).is_file()
        ]
        history = folder / HISTORY
        if read_curves(history):
            found.append(
                self._artifact(place, CURVES, lambda: draw_curves(read_curves(history), place))
            )
        return found

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """Open the content of a listed artifact.

        Raises:
            ArtifactNotFound: there is none of this identity, or its file is gone.
        """
        try:
            return io.BytesIO(self._known[artifact_id].read())
        except (KeyError, OSError, ValueError):
            raise ArtifactNotFound(artifact_id) from None

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Refuse, since the dashboard does not change a run."""
        raise PermissionError("a run is looked at, not changed")

    def remove(self, artifact_id: str) -> None:
        """Refuse to remove an artifact."""
        raise PermissionError("a run is looked at, not changed")

    def _artifact(self, place: str, name: str, read: Callable[[], bytes]) -> Artifact:
        found = Artifact(str(uuid.uuid5(_NAMESPACE, f"{place}/{name}")), name, read)
        self._known[found.id] = found
        return found

    def _origin(self) -> tuple[str, int] | None:
        """Return the trial of the exported model, ``None`` without a model."""
        # Of the certificate this alone, whose reading takes seconds of imports.
        try:
            origin = read_json(self._run.certificate)["origin"]
            return str(origin["stage"]), int(origin["trial"])
        except (UserError, KeyError, TypeError, ValueError):
            return None
