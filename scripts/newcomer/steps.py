"""Commands of README.md: how each is run, and the checks afterwards."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import checks
from readme import Shown

_HERE = "scripts/newcomer"
_ALONE = "../tensorflow alone"
_MINUTES = 60.0
_SYNTHETIC = "dfsearch synthesize FaceForensics++ --identities 12 --frames 20 --size 160"
_UNSEEN = "runs/demo-data/unseen_real.mp4 runs/demo-data/unseen_fake.mp4"


@dataclass(frozen=True)
class Step:
    """A command of README.md and its checks.

    Attributes:
        shown: Command in README.md.
        runs: Shell lines to run instead; empty to run the command unchanged.
        checks: Called afterwards with the output.
        minutes: Time limit.
        quick: Whether it needs no set-up, no training and no file that those leave.
    """

    shown: str
    runs: tuple[str, ...] = ()
    checks: tuple[checks.Check, ...] = ()
    minutes: float = 10.0
    quick: bool = False

    @property
    def script(self) -> str:
        """Script for the shell."""
        return "\n".join(self.runs or (self.shown,))


STEPS = (
    Step(
        "make demo",
        checks=(
            checks.shows("SYNTHETIC", "rank", "AUC", "unseen_real.mp4: (real|fake|undecided)"),
            checks.left("runs/demo-data/store.h5", "runs/demo-data/videos"),
            checks.a_run_leaves,
            checks.certified,
        ),
        minutes=_MINUTES,
    ),
    Step(
        ".venv/bin/dfsearch report runs/demo",
        checks=(checks.offline_page, checks.left("runs/demo/streams.json")),
    ),
    # Needs root, and is installed already: OpenCV can be imported.
    Step("apt-get install libgl1 libxcb1", ("python -c 'import cv2'",), quick=True),
    # Later steps have it on their PATH.
    Step("make setup && . .venv/bin/activate", checks=(checks.left(".venv/bin/dfsearch"),)),
    Step(
        "dfsearch prepare FaceForensics++ ffpp.h5",
        (_SYNTHETIC, "dfsearch prepare FaceForensics++ ffpp.h5"),
        (checks.left("ffpp.h5"), checks.shows("24", "FaceForensics")),
        quick=True,
    ),
    Step(
        "dfsearch run ffpp.h5 runs/ffpp --preset quick",
        checks=(
            checks.left("runs/ffpp/best_model.h5", "runs/ffpp/best_model.json"),
            checks.nothing_downloaded,
        ),
        minutes=_MINUTES,
    ),
    Step(
        "dfsearch predict runs/ffpp VIDEO.mp4",
        ("cp runs/demo-data/unseen_fake.mp4 VIDEO.mp4", "dfsearch predict runs/ffpp VIDEO.mp4"),
        (checks.shows(r"VIDEO\.mp4", "real|fake|undecided"),),
    ),
    Step(
        "dfsearch audit ffpp.h5",
        checks=(checks.shows("sharpness", "bit rate|bitrate"),),
        quick=True,
    ),
    Step(
        "dfsearch leaderboard RUN_DIR",
        (
            "dfsearch leaderboard runs/demo",
            "dfsearch leaderboard runs/demo --json > board.json",
        ),
        (checks.shows("rank", "sharpness"), checks.every_trial),
    ),
    Step(
        "dfsearch report RUN_DIR",
        ("dfsearch report runs/ffpp --no-faces --out REPORT.html",),
        (checks.left("REPORT.html"),),
    ),
    Step(
        "dfsearch dashboard RUN_DIR",
        (f"python {_HERE}/dashboard_page.py runs/demo",),
        (checks.shows("page: 200", "api/studies: 200"),),
    ),
    Step(
        "dfsearch evaluate RUN_DIR [OTHER.h5]",
        (
            "dfsearch evaluate runs/demo --matched sharpness --robustness",
            "dfsearch evaluate runs/demo ffpp.h5",
        ),
        (
            checks.shows("AUC", "matched", "H.264", "JPEG", "blur", "noise"),
            checks.left(
                *("runs/demo/matched.json", "runs/demo/robustness.json", "runs/demo/evaluations/")
            ),
        ),
    ),
    Step(
        "dfsearch predict RUN_DIR PATH...",
        (
            f"dfsearch predict runs/demo {_UNSEEN} --json",
            "dfsearch predict runs/demo 'runs/demo-data/*.mp4'",
            "dfsearch predict runs/demo VIDEO.mp4 --annotate OUT.mp4",
        ),
        (checks.a_line_of_json_each(2), checks.left("OUT.mp4")),
    ),
    Step(
        "dfsearch export RUN_DIR --format all",
        ("dfsearch export runs/demo --format all",),
        (checks.exported, checks.left("runs/demo/MODEL_CARD.md")),
    ),
    Step(
        "dfsearch run RUN_DIR/config.toml",
        ("dfsearch run runs/demo/config.toml",),
        (checks.shows("best_model.h5"),),
    ),
    # Only the baselines, on synthetic people: the trainings take hours.
    Step(
        "DFSEARCH_REAL_DATA=FOLDER python -m bench.accuracy --keep RESULTS --folds --seeds 0 "
        "--only 'spatial-*,no-pseudo-fakes-*'",
        (
            "mkdir -p FOLDER",
            "ln -sfn ../FaceForensics++ FOLDER/ffpp",
            "DFSEARCH_REAL_DATA=FOLDER python -m bench.accuracy --keep RESULTS --folds --seeds 0 "
            "--only 'spatial-*,no-pseudo-fakes-*' --minutes 0",
        ),
        (checks.shows("sharpness"),),
    ),
    Step(
        "dfsearch evaluate RUN_DIR OTHER.h5 --split all",
        ("dfsearch evaluate runs/demo ffpp.h5 --split all",),
        (checks.shows("AUC"),),
    ),
)


def steps(shown: Sequence[Shown]) -> list[Step]:
    """Return a step for each command, in the order of README.md.

    Other commands of ``make`` are only checked with ``--dry-run``, since the checks of every change
    run them. ``dfsearch VERB`` alone only prints its help. Python that imports this project runs in
    the checkout. Other Python runs in the folder of a run, in an environment with only TensorFlow.

    Raises:
        ValueError: A command has no step, or a step has no command.
    """
    known = {step.shown: step for step in STEPS}
    found = []
    for one in shown:
        step = known.pop(one.text, None) or _by_kind(one)
        if step is None:
            raise ValueError(
                f"README.md, line {one.line}: no step for {one.text!r}; "
                f"add it to STEPS in {_HERE}/steps.py"
            )
        found.append(step)
    if known:
        raise ValueError(
            f"README.md does not show {next(iter(known))!r}; remove it from {_HERE}/steps.py"
        )
    return found


def _by_kind(one: Shown) -> Step | None:
    words = one.text.split()
    if one.python and "import dfsearch" in one.text:
        return Step(
            one.text,
            (f"python -c {shlex.quote(one.text)}",),
            (checks.shows("real|fake|undecided"),),
        )
    if one.python:
        return Step(
            one.text,
            (
                f"python {_HERE}/alone.py tensorflow '{_ALONE}'",
                f"alone=$(cd '{_ALONE}' && pwd)",
                "cd runs/demo",
                f'"$alone/bin/python" -I -c {shlex.quote(one.text + _AFTERWARDS)}',
            ),
            (checks.shows("probability 0", "no module of this project"),),
        )
    if words[0] == "make" and len(words) == 2:
        return Step(one.text, (f"make --dry-run {words[1]}",), quick=True)
    if words[0] == "dfsearch" and len(words) == 2:
        command = f"{one.text} --help"
        return Step(one.text, (command,), (checks.shows("Example"),), quick=True)
    return None


_AFTERWARDS = """
import importlib.util

assert 0 <= probability <= 1
print(f"probability {probability:.3f}")
for name in ("artifacts", "data_prep", "dfsearch", "search", "spaces", "autokeras", "optuna"):
    assert importlib.util.find_spec(name) is None, name
print("no module of this project")
"""
