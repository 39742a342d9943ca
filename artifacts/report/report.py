"""The report of a run: one HTML file to read anywhere, made of whatever the run has left so far."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from artifacts.certificate import Certificate
from artifacts.evaluation.request import Assessment, read_assessment
from artifacts.leaderboard.load import Leaderboard, load
from artifacts.leaderboard.rows import Row
from artifacts.metrics.metrics import Evaluation
from artifacts.report.board import board_parts
from artifacts.report.checks import (
    matched_part,
    openings_part,
    robustness_part,
    untrained_part,
)
from artifacts.report.curves import Scored, read_scores
from artifacts.report.data import audit_parts
from artifacts.report.learning import learning_parts
from artifacts.report.metrics import metric_parts
from artifacts.report.model import Inspection, inspect_model
from artifacts.report.page import Page, render
from artifacts.report.parts import Heading, Missing, Part, Picture, section
from artifacts.report.scores import score_parts
from artifacts.report.search import Trials, search_parts
from artifacts.report.streams import stream_parts
from artifacts.report.summary import reproduction_parts, summary_parts
from artifacts.run_directory import RunDirectory, write_text
from data_prep.audit.audit import Audit, audit
from data_prep.errors import UserError
from data_prep.files import read_bytes
from data_prep.store.store import Store

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Material:
    """Material of a report; a part that is missing is a line with the reason.

    Attributes:
        run: the run.
        trials: trials of each stage.
        board: the leaderboard.
        certificate: certificate of the model.
        scores: scores of validation and test clips, by split.
        tested: record of the test split; None if it could not be tested.
        audit: audit of the store.
        inspection: results of the model itself.
    """

    run: RunDirectory
    trials: Trials | str
    board: Leaderboard | str
    certificate: Certificate | str
    scores: Mapping[str, Scored] | str
    tested: Assessment | str | None
    audit: Audit | str
    inspection: Inspection


def write_report(
    run: RunDirectory,
    out: Path,
    *,
    trials: Trials | str,
    store: Path | None,
    faces: bool = True,
) -> None:
    """Write the report of a run, finished or not, as one HTML file that needs no other.

    Args:
        run: the run.
        out: the file; written under a temporary name and renamed.
        trials: trials of each stage, or the reason why they are missing.
        store: path of the run's store, if known.
        faces: whether faces of the store are shown, which are personal data.

    Raises:
        UserError: there is no run, or the file cannot be written.
    """
    material = gather(run.open(), trials=trials, store=store, faces=faces)
    text = render(build_page(material))
    try:
        write_text(out, text)
    except OSError as error:
        raise UserError(
            f"the report {out} cannot be written: {error.strerror}; name another file: --out FILE"
        ) from None


def gather(
    run: RunDirectory,
    *,
    trials: Trials | str,
    store: Path | None,
    faces: bool,
) -> Material:
    """Gather the material of a report; the store is read once and closed again.

    Args:
        run: the run.
        trials: trials of each stage, or the reason why they are missing.
        store: path of the run's store, if known.
        faces: whether faces are wanted.
    """
    certificate = _or_why(lambda: Certificate.read(run))
    scores = _or_why(lambda: read_scores(run.scores))
    opened = _or_why(lambda: _own_store(run, store))
    with contextlib.ExitStack() as closing:
        if isinstance(opened, Store):
            closing.enter_context(opened)
        return Material(
            run=run,
            trials=trials,
            board=trials if isinstance(trials, str) else _or_why(lambda: load(run, trials)),
            certificate=certificate,
            scores=scores,
            tested=_or_why(lambda: read_assessment(run)),
            audit=opened if isinstance(opened, str) else _or_why(lambda: audit(opened)),
            inspection=Inspection(certificate, (Missing("Sample clips", certificate),))
            if isinstance(certificate, str)
            else inspect_model(run, certificate, opened, scores, faces=faces),
        )


def _own_store(run: RunDirectory, path: Path | None) -> Store:
    """Open the store of a run.

    Raises:
        UserError: it is missing or has another content.
    """
    if path is None:
        raise UserError("the configuration of the run names no store")
    store = Store(path)
    if store.fingerprint != run.read_fingerprint():
        store.close()
        raise UserError(f"{path} is not the store the run was made on: its fingerprint differs")
    return store


def _or_why(get: Callable[[], T]) -> T | str:
    """Return the result, or the reason of the failure in one line."""
    try:
        return get()
    except UserError as error:
        return str(error)


def build_page(material: Material) -> Page:
    """Build the sections of a report in reading order."""
    run, certificate = material.run, material.certificate
    synthetic = any(
        made is not None and not isinstance(made, str) and made.synthetic
        for made in (certificate, material.audit)
    )
    sections = (
        section(
            "summary",
            "Summary",
            summary_parts(_rows(material), certificate, _evaluation(material), material.audit),
        ),
        section("leaderboard", "Leaderboard", _board(material)),
        section("search", "Search", search_parts(material.trials)),
        section("learning", "Learning curves", learning_parts(run, material.trials)),
        section("streams", "Contribution of each stream", _streams(material)),
        section("scores", "Scores", _scores(material)),
        section("checks", "Put to the test", _checks(material)),
        section("data", "Data", _data(material)),
        section("clips", "Sample clips", material.inspection.faces),
        section("network", "The network", _network(run)),
        section("reproduction", "How to reproduce it", reproduction_parts(run, certificate)),
    )
    name = run.root.resolve().name
    made = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    return Page(
        title=f"Report of {name}",
        subtitle=f"A search for a deepfake detector. Report made {made}.",
        synthetic=synthetic,
        sections=sections,
    )


def _rows(material: Material) -> tuple[Row, ...]:
    return () if isinstance(material.board, str) else material.board.rows


def _board(material: Material) -> list[Part]:
    if isinstance(material.board, str):
        return [Missing("Leaderboard", material.board)]
    return board_parts(material.board.rows, material.board.notes)


def _evaluation(material: Material) -> Evaluation | None:
    """Return the results on the test split, else on validation; None without a model."""
    if isinstance(material.certificate, str):
        return None
    tested = material.tested
    if isinstance(tested, Assessment) and isinstance(tested.metrics, Evaluation):
        return tested.metrics
    return material.certificate.test or material.certificate.validation


def _streams(material: Material) -> list[Part]:
    streams = material.inspection.streams
    return [Missing("Streams", streams)] if isinstance(streams, str) else stream_parts(streams)


def _scores(material: Material) -> list[Part]:
    certificate, scores, evaluation = material.certificate, material.scores, _evaluation(material)
    if isinstance(certificate, str) or evaluation is None:
        return [Missing("Scores", str(certificate))]
    parts: list[Part] = []
    if certificate.test is None:
        parts.append(Missing("Test split", "the store has none with both labels."))
    parts += metric_parts(evaluation)
    if isinstance(scores, str):
        return [*parts, Missing("Curves", scores)]
    return [*parts, *score_parts(scores, certificate.threshold)]


def _checks(material: Material) -> list[Part]:
    tested, evaluation = material.tested, _evaluation(material)
    if isinstance(tested, str) or evaluation is None:
        return [Missing("Checks", tested if isinstance(tested, str) else "there is no model yet.")]
    if tested is None:
        return [Missing("Checks", "the store has no test split with both labels.")]
    return [
        Heading("Against no training"),
        untrained_part(evaluation.untrained),
        Heading("Equal sharpness"),
        matched_part(tested.matched),
        Heading("Degraded clips"),
        robustness_part(tested.robustness),
        Heading("Openings of the test split"),
        openings_part(tested.openings),
    ]


def _data(material: Material) -> list[Part]:
    if isinstance(material.audit, str):
        return [Missing("Split audit", material.audit)]
    return audit_parts(material.audit)


def _network(run: RunDirectory) -> list[Part]:
    name = run.picture.name
    if not run.picture.is_file():
        return [Missing("Picture", f"{name} is missing; a finished run has it.")]
    try:
        png = read_bytes(run.picture)
    except OSError as error:
        return [Missing("Picture", f"{name} cannot be read: {error.strerror}.")]
    if not png.startswith(b"\x89PNG"):
        return [Missing("Picture", f"{name} is no PNG file.")]
    caption = "The layers of the exported model with their shapes (best_model.png)."
    return [Picture(png, "The layers of the exported model.", caption)]
