"""Files of PyTorch's are read without running what they name."""

from __future__ import annotations

import collections
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spaces.backbones.torch_file import read_tensors


class _Named:
    """Pickled as a call of any name with any arguments, as PyTorch pickles its tensors."""

    def __init__(self, call: Any, *arguments: Any) -> None:
        self._reduced = call, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self._reduced


class _Storage:
    def __init__(self, kind: str, key: str) -> None:
        self.kind, self.key = kind, key


class _Pickler(pickle._Pickler):
    """The pickler of Python, told to write names of PyTorch and its storages."""

    def persistent_id(self, thing: Any) -> Any:
        if isinstance(thing, _Storage):
            return ("storage", _Name("torch", thing.kind), thing.key, "cpu", 0, None)
        return None

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if isinstance(obj, _Name):
            self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
            return
        if isinstance(obj, _Rebuilt):
            self.save(_Name("torch._utils", "_rebuild_tensor_v2"))
            self.save(obj.arguments)
            self.write(pickle.REDUCE)
            return
        super().save(obj, save_persistent_id)


class _Name:
    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class _Rebuilt:
    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments


def _write(path: Path, tensors: Any, storages: dict[str, np.ndarray], protocol: int = 1001) -> Path:
    with path.open("wb") as file:
        for thing in (0, protocol, {}, tensors, list(storages)):
            _Pickler(file, 2).dump(thing)
        for values in storages.values():
            file.write(struct.pack("<q", len(values)) + values.tobytes())
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    numbers = np.arange(12, dtype="<f4")
    tensors = collections.OrderedDict(
        plain=_Rebuilt(_Storage("FloatStorage", "a"), 0, (3, 4), (4, 1), False, {}),
        turned=_Rebuilt(_Storage("FloatStorage", "a"), 0, (4, 3), (1, 4), False, {}),
        later=_Rebuilt(_Storage("FloatStorage", "a"), 6, (2,), (1,), False, {}),
        count=_Rebuilt(_Storage("LongStorage", "b"), 0, (), (), False, {}),
    )
    return _write(tmp_path / "w.pth", tensors, {"a": numbers, "b": np.array([7], "<i8")})


def test_tensors_come_as_they_were_whatever_their_strides(file: Path) -> None:
    tensors = read_tensors(file)
    expected = np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(tensors["plain"], expected)
    np.testing.assert_array_equal(tensors["turned"], expected.T)
    np.testing.assert_array_equal(tensors["later"], [6, 7])
    assert tensors["count"] == 7


def test_a_file_that_names_code_is_refused_and_runs_none(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    path = _write(tmp_path / "evil.pth", _Named(os.mkdir, str(mark)), {})
    with pytest.raises(ValueError, match=r"not a state dictionary .*it names posix\.mkdir"):
        read_tensors(path)
    assert not mark.exists()


def test_a_tensor_beyond_its_storage_is_refused(tmp_path: Path) -> None:
    for offset, shape, strides in ((0, (5,), (1,)), (4, (1,), (1,)), (0, (2,), (-1,))):
        tensors = {"t": _Rebuilt(_Storage("FloatStorage", "a"), offset, shape, strides)}
        path = _write(tmp_path / "w.pth", tensors, {"a": np.zeros(4, "<f4")})
        with pytest.raises(ValueError, match="beyond its storage"):
            read_tensors(path)


def test_a_file_of_another_kind_or_cut_short_is_refused(file: Path, tmp_path: Path) -> None:
    whole = file.read_bytes()
    for content in (b"", b"PK\x03\x04", whole[:100], whole[:-5]):
        damaged = tmp_path / "damaged.pth"
        damaged.write_bytes(content)
        with pytest.raises(ValueError, match="is not a state dictionary"):
            read_tensors(damaged)
    other = _write(tmp_path / "other.pth", {}, {}, protocol=7)
    with pytest.raises(ValueError, match="protocol is 7"):
        read_tensors(other)
    with pytest.raises(FileNotFoundError):
        read_tensors(tmp_path / "none.pth")
