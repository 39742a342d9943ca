"""One search by one engine, in its own process, for ``bench.search``.

Every engine searches the space of :func:`search.detectors.space.build_space` on the same store,
with random sampling from the same seed, equal epochs and no pruning. If a case names a frame
stride, stock engines draw everything else. Each finished trial is written with the seconds since
the start and its best validation AUC.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from artifacts.quiet import import_tensorflow
from bench.search.material import Case, build_config, make_store
from data_prep.store.store import Store

OURS, KERAS_TUNER, AUTOKERAS = "dfsearch", "keras_tuner", "autokeras"
ENGINES = (OURS, KERAS_TUNER, AUTOKERAS)

Write = Callable[..., None]
Arrays = tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]


def make_writer(path: Path) -> Write:
    """Return a function that appends events to a file, with the seconds since this call."""
    started = time.monotonic()

    def write(**event: Any) -> None:
        line = json.dumps({"seconds": time.monotonic() - started, **event})
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    return write


def search_ours(case: Case, folder: Path, out: Path, chosen: argparse.Namespace) -> None:
    """Run our search like ``dfsearch run``; the start of its worker counts."""
    from search.run import run
    from search.trials.trial import TrialOutcome
    from search.workers.progress import LogProgress

    write = make_writer(out)

    class TrialLog(LogProgress):
        def trial(self, outcome: TrialOutcome) -> None:
            write(trial=outcome.number, state=outcome.state, auc=outcome.value, why=outcome.reason)

    run_dir = out.with_suffix(".run")
    settings = {"seed": chosen.seed, "workers": chosen.workers, "trials": chosen.trials}
    run(build_config(case, folder, run_dir, **settings), TrialLog())


def search_with_keras_tuner(
    case: Case, folder: Path, out: Path, chosen: argparse.Namespace
) -> None:
    """Run stock KerasTuner: all clips in memory, ``RandomSearch`` over the graph."""
    import_tensorflow()
    import keras
    import keras_tuner

    class Compiled(keras_tuner.HyperModel):
        def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
            model = graph.build(hp)
            model.compile(
                keras.optimizers.Adam(1e-3),
                "binary_crossentropy",
                metrics=[keras.metrics.AUC(name="auc")],
            )
            return model

    write = make_writer(out)
    (train, val), graph = _load_clips(case, folder), _build_graph(case, folder, out)
    tuner = keras_tuner.RandomSearch(
        Compiled(),
        objective=keras_tuner.Objective("val_auc", "max"),
        max_trials=chosen.trials,
        seed=chosen.seed,
        directory=out.with_suffix(".run"),
    )
    tuner.search(
        *train,
        validation_data=val,
        epochs=case.epochs,
        batch_size=case.batch_size,
        callbacks=[_make_trial_clock(write)],
        verbose=0,
    )


def search_with_autokeras(case: Case, folder: Path, out: Path, chosen: argparse.Namespace) -> None:
    """Run stock AutoKeras: all clips in memory, ``AutoModel`` of our block and our head.

    Its own ``ClassificationHead`` fails on Keras 3.15, because it passes NumPy numbers to
    layers. The optimizer and the learning rate come from its own space.
    """
    import_tensorflow()
    import autokeras as ak
    import keras
    import keras_tuner

    from spaces.detector import DetectorBlock, FakeProbabilityHead
    from spaces.inputs import ClipInput

    write = make_writer(out)
    train, val = _load_clips(case, folder)
    block = _find_detector_block(_build_graph(case, folder, out))
    frames = ClipInput(train[0].shape[1:])
    head = FakeProbabilityHead(metrics=[keras.metrics.AUC(name="auc")])
    ak.AutoModel(
        inputs=frames,
        outputs=head(DetectorBlock.from_config(block.get_config())(frames)),
        objective=keras_tuner.Objective("val_auc", "max"),
        tuner="random",
        max_trials=chosen.trials,
        seed=chosen.seed,
        overwrite=True,
        directory=out.with_suffix(".run"),
    ).fit(
        *train,
        validation_data=val,
        epochs=case.epochs,
        batch_size=case.batch_size,
        callbacks=[_make_trial_clock(write)],
        verbose=0,
    )


def _build_graph(case: Case, folder: Path, out: Path) -> Any:
    """Return the space of stock engines."""
    from search.detectors.space import build_space

    with Store(case.store(folder)) as store:
        graph = build_space(build_config(case, folder, out.with_suffix(".run")), store)
    if case.stride is not None:
        _find_detector_block(graph).spatial.frame_stride = case.stride
    return graph


def _find_detector_block(graph: Any) -> Any:
    from spaces.detector import DetectorBlock

    (block,) = [one for one in graph.blocks if isinstance(one, DetectorBlock)]
    return block


def _load_clips(case: Case, folder: Path) -> tuple[Arrays, Arrays]:
    """Return all training and validation clips with their labels, (N, 1)."""
    with Store(case.store(folder)) as store:
        found = [
            (store.read(rows), store.labels[rows].astype(np.float32)[:, None])
            for rows in (store.rows("train"), store.rows("val"))
        ]
    return found[0], found[1]


def _make_trial_clock(write: Write) -> Any:
    """Return a callback that writes an event at the end of each training."""
    import keras

    class Clock(keras.callbacks.Callback):
        def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
            self.best = 0.0

        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            self.best = max(self.best, (logs or {}).get("val_auc", 0.0))

        def on_train_end(self, logs: dict[str, float] | None = None) -> None:
            write(trial=-1, state="complete", auc=self.best, why="")

        def __deepcopy__(self, memo: dict[int, Any]) -> Any:
            return Clock()

    return Clock()


SEARCHES = {
    OURS: search_ours,
    KERAS_TUNER: search_with_keras_tuner,
    AUTOKERAS: search_with_autokeras,
}


def main() -> None:
    """Make the store of a case, or search it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--case", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--engine", choices=ENGINES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--trials", type=int, default=1)
    chosen = parser.parse_args()
    case = Case(**json.loads(chosen.case))
    if chosen.engine is None:
        make_store(case, chosen.folder)
        return
    for stale in (chosen.out.with_suffix(".run"), chosen.out):
        if stale.is_dir():
            shutil.rmtree(stale)
        else:
            stale.unlink(missing_ok=True)
    SEARCHES[chosen.engine](case, chosen.folder, chosen.out, chosen)


if __name__ == "__main__":
    main()
