"""Program that copies the weights of an untrusted HDF5 file.

A damaged file can crash the HDF5 library, keep it busy for ever or make it request all memory. So
this runs in a process of its own, with limits, and writes a new file. Its caller never opens the
old one. It imports neither this project nor Keras::

    python weights_copy.py SOURCE TARGET

Exit code 0: TARGET is written. 1: refused, with the reason on standard output; without a
reason it could not start, and standard error has the cause. Another: it crashed.
"""

from __future__ import annotations

import re
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

SIGNATURE = b"\x89HDF\r\n\x1a\n"
MOST_OBJECTS, MOST_ATTRIBUTES = 200_000, 10_000
DEEPEST = 32
LONGEST_ATTRIBUTE = 1 << 26
SPARE_MEMORY = 2 << 30
SECONDS, BYTES_A_SECOND = 60, 5_000_000
# All that Keras reads; long lists of names continue in numbered attributes.
_ATTRIBUTES = re.compile(r"(model_config|backend|keras_version|name|(layer|weight)_names\d*)\Z")


class NotAllowedError(Exception):
    """Reason for the refusal of a file, to be read after its name.

    It is no ``DfsearchError``: it ends in this program, which imports nothing of the project.
    """


def copy_weights(source: Path, target: Path) -> None:
    """Write the groups, arrays of numbers and known attributes of a file to a new one.

    Every array must lie in the file itself, in one piece, uncompressed and complete. So none is
    larger than the file.

    Raises:
        NotAllowedError: the file holds anything else.
    """
    with source.open("rb") as file:
        if file.read(len(SIGNATURE)) != SIGNATURE:
            raise NotAllowedError("is not an HDF5 file")
    budget = source.stat().st_size
    # The caller has checked that no other process writes the file; some file systems have no locks.
    with (
        h5py.File(source, "r", locking=False) as old,
        h5py.File(target, "w", locking=False) as new,
    ):
        _copy_attributes(old, new)
        for name, item in _objects(old):
            if isinstance(item, h5py.Group):
                _copy_attributes(item, new.create_group(name))
                continue
            values = _array(name, item, budget)
            budget -= values.nbytes
            new.create_dataset(name, data=values)


def _objects(file: h5py.File) -> Iterator[tuple[str, h5py.Group | h5py.Dataset]]:
    """Yield every object below the root with its path, groups before their content."""
    seen = {h5py.h5o.get_info(file.id).addr}
    waiting: list[tuple[str, h5py.Group, int]] = [("", file["/"], 1)]
    while waiting:
        path, group, depth = waiting.pop()
        for key in group:
            name = f"{path}/{key}"
            if key in ("", ".", "..") or "/" in key or depth > DEEPEST:
                raise NotAllowedError(f"has an object that no model has, {name}")
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise NotAllowedError(f"has a link out of its place, {name}")
            item = group[key]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                raise NotAllowedError(f"has one object in two places, {name}")
            seen.add(address)
            if len(seen) > MOST_OBJECTS:
                raise NotAllowedError(f"has more than {MOST_OBJECTS} objects")
            if isinstance(item, h5py.Group):
                waiting.append((name, item, depth + 1))
            elif not isinstance(item, h5py.Dataset):
                raise NotAllowedError(f"has an object that no model has, {name}")
            yield name, item


def _array(name: str, dataset: h5py.Dataset, budget: int) -> np.ndarray:
    """Read the numbers of a dataset, at most ``budget`` bytes."""
    settings = dataset.id.get_create_plist()
    if settings.get_external_count() or dataset.is_virtual:
        raise NotAllowedError(f"keeps {name} in another file")
    if settings.get_layout() not in (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT):
        raise NotAllowedError(f"has {name} in pieces or compressed, as Keras writes none")
    if dataset.dtype.kind not in "fiu" or dataset.dtype.itemsize > 8:
        raise NotAllowedError(f"has {name}, which holds no numbers")
    if dataset.nbytes > budget or dataset.id.get_storage_size() != dataset.nbytes:
        shape = " x ".join(map(str, dataset.shape))
        raise NotAllowedError(f"has no room for {name} of {shape} numbers")
    values = np.asarray(dataset[()])
    if not np.isfinite(values).all():
        raise NotAllowedError(f"has weights that are not finite, in {name}")
    return values


def _copy_attributes(old: h5py.Group, new: h5py.Group) -> None:
    if len(old.attrs) > MOST_ATTRIBUTES:
        raise NotAllowedError("has more attributes than any model")
    for name in old.attrs:
        if not _ATTRIBUTES.match(name):
            continue
        found = old.attrs.get_id(name)
        text = h5py.check_string_dtype(found.dtype) is not None
        # A list without names is written as no numbers.
        empty = found.shape == (0,)
        if not empty and not (text and found.get_storage_size() <= LONGEST_ATTRIBUTE):
            raise NotAllowedError(f"has an attribute {name} that is no text or too long")
        new.attrs.create(name, old.attrs[name], dtype=found.dtype)


def _limit(source: Path) -> None:
    """Limit memory, file size and processor time to the needs of an honest file of this size."""
    size = source.stat().st_size
    resource.setrlimit(resource.RLIMIT_AS, (SPARE_MEMORY + 3 * size,) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * size + LONGEST_ATTRIBUTE,) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS + size // BYTES_A_SECOND,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(source: Path, target: Path) -> int:
    """Copy, and say why not; the exit code."""
    _limit(source)
    try:
        copy_weights(source, target)
    except NotAllowedError as refused:
        reason = str(refused)
    except Exception:  # whatever the library raises on a damaged file
        reason = "is damaged"
    else:
        return 0
    sys.stdout.buffer.write(reason.encode("utf-8", "surrogateescape"))
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
