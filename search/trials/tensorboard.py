"""TensorBoard event files of trials: curves while they run, hyperparameters when they end."""

from __future__ import annotations

import importlib.util
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from artifacts.histories import STEPS, WITHOUT, step_of
from data_prep.errors import UserError


def has_tensorboard() -> bool:
    """Return whether event files can be written here."""
    return importlib.util.find_spec("tensorboard") is not None


def require_tensorboard() -> None:
    """Check that event files can be written.

    Raises:
        UserError: The package tensorboard is not installed.
    """
    if not has_tensorboard():
        raise UserError(
            "tensorboard is not installed; pip install 'deepfake-model-search[tensorboard]' or run "
            "without --tensorboard"
        )


class EventLog:
    """The event file of one trial.

    Every number in a row of the trial's history is a scalar at that epoch. A curve of a training
    without a manipulation method has its name before its tags. The HPARAMS page of TensorBoard
    lists each trial with its hyperparameters and ``objective``.

    Args:
        folder: Folder of the trial, below the log directory.
        name: Name of the trial.
    """

    def __init__(self, folder: Path, name: str) -> None:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._writer = EventFileWriter(str(folder))
        self._name = name
        self._began = time.time()
        self._step = 0

    def row(self, row: Mapping[str, float | str]) -> None:
        """Write one row of the trial's history; values that are no finite numbers are skipped."""
        step, without = step_of(row), row.get(WITHOUT)
        self._step = self._step + 1 if step is None else step
        for name, value in row.items():
            if name not in (*STEPS, WITHOUT):
                self._scalar(f"without {without}/{name}" if without else name, value)
        self._writer.flush()

    def end(self, hyperparameters: Mapping[str, Any], value: float | None, complete: bool) -> None:
        """Write hyperparameters and value of the trial, and close the file."""
        from tensorboard.plugins.hparams import api, api_pb2, summary

        plain = {name: tried for name, tried in hyperparameters.items() if tried is not None}
        began = api.hparams_pb(plain, trial_id=self._name, start_time_secs=self._began)
        self._add(began)
        if value is not None:
            self._scalar("objective", value)
        status = api_pb2.STATUS_SUCCESS if complete else api_pb2.STATUS_FAILURE
        self._add(summary.session_end_pb(status, time.time()))
        self._writer.close()

    def _scalar(self, tag: str, value: float | str) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        if isinstance(value, int | float) and math.isfinite(value):
            self._add(Summary(value=[Summary.Value(tag=tag, simple_value=value)]))

    def _add(self, summary: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        event = Event(wall_time=time.time(), step=self._step)
        # As bytes: with TensorFlow loaded, summaries of hparams have another class.
        event.summary.ParseFromString(summary.SerializeToString())
        self._writer.add_event(event)
