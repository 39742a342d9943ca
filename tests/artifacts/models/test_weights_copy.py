"""Weights are copied without locks where there are none, and not while they are written."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import h5py
import pytest

from artifacts.models import weights_copy
from artifacts.models.trust import check_model_file
from data_prep.errors import UserError


def test_a_file_system_without_locks_is_used_without_locks(tmp_path: Path, refusing: Path) -> None:
    with h5py.File(tmp_path / "model.h5", "w") as file:
        file["weights"] = [1.0, 2.0]
    program = [sys.executable, "-P", weights_copy.__file__, tmp_path / "model.h5"]
    done = subprocess.run(
        [*program, tmp_path / "copy.h5"],
        env={**os.environ, "LD_PRELOAD": str(refusing), "FLOCK_ERRNO": str(errno.ENOLCK)},
        capture_output=True,
    )
    assert done.returncode == 0, done.stdout
    with h5py.File(tmp_path / "copy.h5") as file:
        assert file["weights"][...].tolist() == [1.0, 2.0]


def test_a_model_file_that_another_process_writes_is_in_use_and_not_damaged(
    tmp_path: Path,
) -> None:
    path = tmp_path / "model.h5"
    code = "import h5py, sys; file = h5py.File(sys.argv[1], 'w'); print(flush=True); input()"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code, path], stdin=pipe, stdout=pipe) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"\n"
        with pytest.raises(UserError, match="in use by another process that writes to it; wait"):
            check_model_file(path)
        writer.communicate(b"\n")
    with pytest.raises(UserError, match="is not a Keras model file"):
        check_model_file(path)
