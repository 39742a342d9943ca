"""Weights of a PyTorch file, read without PyTorch and without running code from the file."""

from __future__ import annotations

import collections
import pickle
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

_DTYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}
_PROTOCOL = 1001


def read_tensors(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the tensors of a state dictionary that ``torch.save`` wrote before PyTorch 1.6.

    The file holds five pickles, then the numbers of each storage. A pickle can name any code to
    run. Here it may name four things: an ordered dictionary, storages of float32 and int64, and
    the function that makes a tensor of a storage.

    Args:
        path: A ``.pth`` file.

    Raises:
        ValueError: The file is of another kind, is damaged, or names anything else.
    """
    try:
        with path.open("rb") as file:
            _, protocol, _, tensors, keys = (_Unpickler(file).load() for _ in range(5))
            if protocol != _PROTOCOL:
                raise ValueError(f"its protocol is {protocol}, not {_PROTOCOL}")
            kinds = {tensor.key: tensor.dtype for tensor in tensors.values()}
            storages = {key: _storage(file, kinds[key]) for key in keys}
        return {name: tensor.copy_from(storages[tensor.key]) for name, tensor in tensors.items()}
    except OSError:
        raise
    # A damaged pickle makes Python raise errors of many kinds.
    except Exception as error:
        raise ValueError(f"{path} is not a state dictionary of PyTorch 1.5: {error}") from error


class _Tensor:
    """Position of a tensor in a storage; offset, shape and strides count numbers."""

    def __init__(
        self,
        storage: tuple[str, str, str],
        offset: int,
        shape: tuple[int, ...],
        strides: tuple[int, ...],
        *_: object,
    ) -> None:
        self.dtype, self.key = storage[1:]
        self._offset, self._shape, self._strides = offset, shape, strides

    def copy_from(self, storage: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return a copy of the tensor.

        Raises:
            ValueError: The tensor reaches beyond its storage.
        """
        reach = sum((n - 1) * step for n, step in zip(self._shape, self._strides, strict=True))
        if min((*self._shape, *self._strides, self._offset), default=0) < 0 or (
            self._offset + reach >= len(storage)
        ):
            raise ValueError("a tensor reaches beyond its storage")
        strides = [step * storage.itemsize for step in self._strides]
        view = np.lib.stride_tricks.as_strided(storage[self._offset :], self._shape, strides)
        return view.copy()


class _Unpickler(pickle.Unpickler):
    """Unpickler of a dictionary of tensors alone."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Tensor
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"it names {module}.{name}")

    def persistent_load(self, pid: Any) -> tuple[str, str, str]:
        kind, dtype, key, *_ = pid
        return kind, dtype, key


def _storage(file: IO[bytes], dtype: str) -> npt.NDArray[Any]:
    """Read the next storage of the file: a count, then the numbers."""
    count = int(np.frombuffer(file.read(8), "<i8")[0])
    size = count * np.dtype(dtype).itemsize
    content = file.read(size) if 0 <= count < 1 << 32 else b""
    if len(content) != size:
        raise ValueError("it ends in the middle of a storage")
    return np.frombuffer(content, dtype)
