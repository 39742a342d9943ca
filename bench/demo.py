"""Measurements of the first commands of a new user: ``python -m bench.demo [FOLDER]``.

Prints the duration of ``dfsearch --help`` and ``dfsearch demo``, the share of synthetic frames with
a detected face, the test AUC of the demo's model on unseen people, and the largest difference
between its two files when stock Keras loads them in another process.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

LOAD = """
import sys, keras, numpy as np
frames = np.load(sys.argv[1])
h5, native = (
    keras.models.load_model(path, compile=False).predict(frames, verbose=0) for path in sys.argv[2:]
)
assert not {"search", "spaces", "artifacts", "data_prep"} & set(sys.modules)
print(abs(h5 - native).max())
"""


def time_command(*command: str) -> float:
    """Return the wall time of a command that must succeed."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def compare_files(run: Path, store: Path) -> float:
    """Return the largest difference of both model files on 8 clips, in a fresh process."""
    with h5py.File(store) as file, tempfile.TemporaryDirectory() as folder:
        frames = Path(folder) / "frames.npy"
        np.save(frames, file["frames"][:8])
        files = [str(run / name) for name in ("best_model.h5", "best_model.keras")]
        loaded = subprocess.run(
            [sys.executable, "-I", "-c", LOAD, str(frames), *files],
            check=True,
            capture_output=True,
            text=True,
            cwd=folder,
        )
    return float(loaded.stdout)


def main() -> None:
    """Measure and print."""
    folder = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
    dfsearch = str(Path(sys.executable).with_name("dfsearch"))
    run, store = folder / "demo", folder / "demo-data" / "store.h5"
    help_seconds = statistics.median(time_command(dfsearch, "--help") for _ in range(5))
    demo_seconds = time_command(dfsearch, "demo", str(run))
    test = json.loads((run / "best_model.json").read_text())["test"]
    with h5py.File(store) as file:
        found = float(np.mean(file["clips/coverage"]))
    low, high = test["auc_ci"]
    print(f"dfsearch --help, median of 5        {help_seconds:.2f} s")
    print(f"dfsearch demo                       {demo_seconds:.0f} s")
    print(f"faces found in synthetic frames     {found:.1%}")
    print(f"synthetic test AUC, unseen people   {test['auc']:.3f} ({low:.3f} to {high:.3f})")
    print(f"best_model.h5 against .keras        {compare_files(run, store):.1e}")


if __name__ == "__main__":
    main()
