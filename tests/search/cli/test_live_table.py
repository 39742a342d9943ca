from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from artifacts.run_directory import RunDirectory
from artifacts.stages import ARCHITECTURE, GAN, TRAINING, Stage
from search.cli import console as shown_console
from search.cli.app import print_log
from search.cli.console import run_progress
from search.cli.live_table import LiveProgress, duration, sparkline
from search.trials.trial import TrialOutcome
from search.workers.progress import LogProgress


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def outcome(
    number: int, state: str = "complete", value: float | None = None, stage: Stage = ARCHITECTURE
) -> TrialOutcome:
    reason = {"complete": "", "pruned": "val_auc 0.500 after 2 epochs"}.get(state, "out of memory")
    return TrialOutcome(stage, number, state, value, 12.4, reason)


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=100, highlight=False)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def live(console: Console, clock: Clock, tmp_path: Path) -> LiveProgress:
    return LiveProgress(console, RunDirectory(tmp_path), clock)


def text(progress: LiveProgress) -> str:
    console = Console(file=io.StringIO(), width=100, highlight=False)
    console.print(progress.render())
    written = console.file
    assert isinstance(written, io.StringIO)
    return written.getvalue()


def lines(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def write_history(folder: Path, number: int, values: list[float]) -> None:
    path = folder / "trials" / "architecture" / str(number) / "history.csv"
    path.parent.mkdir(parents=True)
    rows = [f"{epoch},0.5,{value}" for epoch, value in enumerate(values, start=1)]
    path.write_text("\n".join(["epoch,loss,val_auc", *rows]) + "\n")


def test_running_trials_are_shown_with_epoch_value_and_curve(
    live: LiveProgress, tmp_path: Path
) -> None:
    live.stage(ARCHITECTURE, [], 5)
    live.running([0, 1])
    write_history(tmp_path, 0, [0.5, 0.75, 0.625])
    shown = text(live)
    first = next(line for line in shown.splitlines() if "trial 0" in line)
    assert first.split() == ["trial", "0", "3", "val_auc", "0.625", "▁█▅"]
    second = next(line for line in shown.splitlines() if "trial 1" in line)
    assert second.split() == ["trial", "1", "starting"]


def test_the_headline_tells_best_counts_and_time_left(
    live: LiveProgress, clock: Clock, console: Console
) -> None:
    live.stage(ARCHITECTURE, [outcome(0, value=0.95), outcome(1, "failed")], 10)
    clock.now = 240.0
    live.trial(outcome(2, value=0.7))
    live.trial(outcome(3, value=0.9))
    live.trial(outcome(4, "pruned"))
    live.trial(outcome(5, "failed"))
    shown = text(live)
    # Four of ten in 240 s, the two before are no measure of the pace: 60 s each for four more.
    for part in ("6/10", "best score 0.950 (trial 0)", "1 pruned", "2 failed", "4 min so far"):
        assert part in shown
    assert "about 4 min left" in shown
    assert "architecture 5: failed, out of memory, 12 s" in lines(console)


def test_of_gans_the_lowest_distance_is_best(live: LiveProgress) -> None:
    live.stage(GAN, [], 4)
    for number, value in enumerate((0.4, 0.2, 0.3)):
        live.trial(outcome(number, value=value, stage=GAN))
    assert "best KID 0.200 (trial 1)" in text(live)


def test_a_trial_that_ended_no_longer_runs_and_a_new_stage_begins_anew(live: LiveProgress) -> None:
    live.stage(ARCHITECTURE, [], 3)
    live.running([0, 1])
    live.trial(outcome(0, value=0.7))
    assert "trial 1" in text(live)
    assert "trial 0 " not in text(live).replace("(trial 0)", "")
    live.stage(TRAINING, [], 2)
    assert "best" not in text(live)
    assert "no trial runs yet" in text(live)


def test_a_stage_that_is_done_shows_nothing(live: LiveProgress) -> None:
    assert text(live).strip() == ""
    live.stage(ARCHITECTURE, [outcome(number) for number in range(3)], 3)
    assert text(live).strip() == ""
    live.stage(TRAINING, [], 3)
    assert text(live).strip() != ""
    # Its time was up.
    live.stage(TRAINING, [outcome(number) for number in range(2)], 3)
    assert text(live).strip() == ""


def test_with_leave_one_method_out_the_training_under_way_is_shown(
    live: LiveProgress, tmp_path: Path
) -> None:
    live.stage(ARCHITECTURE, [], 5)
    live.running([0])
    write_history(tmp_path, 0, [])
    (tmp_path / "trials" / "architecture" / "0" / "history.csv").write_text(
        "without,epoch,val_auc\nDrawn,1,0.5\nDrawn,2,0.625\nSwapped,1,0.75\n"
    )
    row = next(line for line in text(live).splitlines() if "trial 0" in line)
    assert row.split() == ["trial", "0", "1", "val_auc", "0.750,", "without", "Swapped", "▅"]


def test_a_sparkline_rises_with_its_values_and_keeps_to_its_width() -> None:
    assert sparkline([]) == ""
    assert sparkline([0.5, 0.5]) == "▅▅"
    assert sparkline([0.0, 0.5, 1.0]) == "▁▅█"
    assert sparkline([0.9, *range(20)], width=4) == sparkline([16, 17, 18, 19]) == "▁▃▆█"


def test_names_and_reasons_are_no_markup(live: LiveProgress, console: Console) -> None:
    live.stage(ARCHITECTURE, [], 2)
    live.message("[bold]a[/bold] path/[x]")
    assert "[bold]a[/bold] path/[x]" in lines(console)


def test_away_from_a_terminal_there_are_plain_lines(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    console: Console,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(shown_console, "log", console)
    with print_log(), run_progress(tmp_path) as progress:
        assert isinstance(progress, LogProgress)
        progress.stage(ARCHITECTURE, [outcome(0)], 3)
        progress.stage(ARCHITECTURE, [outcome(number) for number in range(3)], 3)
        progress.running([1])
        progress.trial(outcome(1, value=0.75))
    assert capsys.readouterr().err.splitlines() == [
        "architecture search: 1 of 3 trials done",
        "architecture 1: complete, score 0.750, 12 s",
    ]


def test_on_a_terminal_the_table_is_live(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    terminal = Console(file=io.StringIO(), width=100, force_terminal=True, highlight=False)
    monkeypatch.setattr(shown_console, "log", terminal)
    write_history(tmp_path, 4, [0.5, 0.75])
    with run_progress(tmp_path) as progress:
        assert isinstance(progress, LiveProgress)
        progress.stage(ARCHITECTURE, [], 3)
        progress.running([4])
        progress.message("a line above the table")
    shown = lines(terminal)
    assert "trial 4" in shown
    assert "▁█" in shown
    assert shown.index("a line above the table") > 0


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (99, "99 s"), (150, "2 min"), (5900, "98 min"), (7500, "2 h 05 min")],
)
def test_durations_are_said_as_people_do(seconds: float, said: str) -> None:
    assert duration(seconds) == said
