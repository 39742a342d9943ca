"""HDF5 files open without locks where there are none, and errors give the system's reason."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from data_prep.errors import UserError
from data_prep.store.hdf5 import open_hdf5
from data_prep.store.store import Clip, Store, write_store
from data_prep.store.verify import verify

USE = """
import sys
from pathlib import Path
from data_prep.errors import UserError
from data_prep.store.hdf5 import create_hdf5
from data_prep.store.store import Store
from data_prep.store.verify import verify

path = Path(sys.argv[1])
try:
    with Store(path) as store:
        print(len(store), store.read([0]).shape)
    print(verify(path))
    create_hdf5(path.with_name("new.h5")).close()
except UserError as error:
    print("error:", error)
"""


@pytest.fixture
def store_path(make_clip: Callable[..., Clip], tmp_path: Path) -> Path:
    write_store(tmp_path / "store.h5", [make_clip("anna")], [], {})
    return tmp_path / "store.h5"


def _use(path: Path, library: Path, **numbers: int) -> str:
    settings = {name: str(number) for name, number in numbers.items()}
    done = subprocess.run(
        [sys.executable, "-c", USE, path],
        env={**os.environ, **settings, "LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_used_without_locks(
    number: int, store_path: Path, refusing: Path
) -> None:
    assert _use(store_path, refusing, FLOCK_ERRNO=number) == "1 (1, 3, 64, 64, 4)\n[]\n"
    assert (store_path.parent / "new.h5").is_file()


def test_a_disk_that_cannot_be_read_is_named_as_the_reason(
    store_path: Path, refusing: Path
) -> None:
    line = _use(store_path, refusing, PREAD_ERRNO=errno.EIO)
    assert line == f"error: {store_path} cannot be read: Input/output error\n"


HOLD = """
import os, sys, h5py
file = h5py.File(sys.argv[1], "r+", locking=sys.argv[2] == "lock", libver="v110")
file.flush()
print("open", flush=True)
sys.stdin.read()
os._exit(9)
"""


@pytest.mark.parametrize("lock", ["lock", "without"])
def test_a_store_that_another_process_writes_is_in_use_and_not_damaged(
    lock: str, store_path: Path
) -> None:
    command = [sys.executable, "-c", HOLD, str(store_path), lock]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"open\n"
        for reader in (Store, verify):
            with pytest.raises(
                UserError, match="is in use by another process that writes"
            ) as error:
                reader(store_path)
            assert "wait until it has finished" in str(error.value)
            assert "damaged" not in str(error.value)
        writer.communicate()
    with pytest.raises(UserError, match="or such a process was killed"):
        Store(store_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read every file")
def test_a_file_that_may_not_be_read_keeps_the_reason(store_path: Path) -> None:
    store_path.chmod(0)
    for reader in (Store, verify, open_hdf5):
        with pytest.raises(UserError, match="cannot be read: Permission denied"):
            reader(store_path)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.h5 is missing"):
        open_hdf5(tmp_path / "none.h5")
    with pytest.raises(UserError, match="is a folder and not a regular file"):
        open_hdf5(tmp_path)
    long = tmp_path / ("a" * 300)
    with pytest.raises(UserError, match="cannot be read: File name too long"):
        Store(long)


def test_a_file_of_another_kind_is_no_hdf5(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("text")
    with pytest.raises(UserError, match="is not an HDF5 file, so it is no store"):
        open_hdf5(tmp_path / "text.h5")
    with h5py.File(tmp_path / "a.h5", "w"):
        pass
    open_hdf5(tmp_path / "a.h5").close()
