"""Summary of a run: quality of the model, cautions, and commands to repeat the run."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

import tomli_w

from artifacts.certificate import Certificate
from artifacts.leaderboard.rows import Row
from artifacts.metrics.metrics import Evaluation
from artifacts.report.board import baseline_name, row_name
from artifacts.report.parts import (
    Code,
    Facts,
    Figures,
    Heading,
    Items,
    Missing,
    Paragraph,
    Part,
    interval_text,
)
from artifacts.run_directory import RunDirectory
from data_prep.audit.audit import LEAK, WARNING, Audit, is_shortcut
from data_prep.errors import UserError
from data_prep.files import LARGEST_TOML
from data_prep.text import enumerate_first, read_text

# Up to the user name, a password, host and database; options are left out.
_DATABASE = re.compile(r"(\w+://[^\s:@/?#]*)(:[^\s:@/?#]*)?@([^\s@?#]*)(?:\?[^\s@#]*)?")
_WITHOUT = "best score without training"
_SPLITS = {"val": "validation"}
_FEW_PEOPLE = 30
_MOST_NAMED = 4
# First words of an audit finding about one quantity.
_SHORTCUT = "shortcut:"
_UNEVEN_COVERAGE = 0.05


def summary_parts(
    rows: Sequence[Row],
    certificate: Certificate | str,
    judged: Evaluation | None,
    audit: Audit | str,
) -> list[Part]:
    """Return the model, its comparison with the best baseline, and warnings.

    Args:
        rows: Rows of the leaderboard, best first.
        certificate: certificate of the model, or the reason why it is missing.
        judged: figures on which it is judged; None without a model.
        audit: audit of the store, or the reason why it is missing.
    """
    best = next((row for row in rows if row.rank == 1), None)
    untrained = next((row for row in rows if row.is_baseline), None)
    warnings: list[Part] = [
        Heading("Cautions"),
        Items(_warnings(rows, judged, audit)),
    ]
    if isinstance(certificate, str) or judged is None:
        return [Missing("No model yet", str(certificate)), *_so_far(rows, best), *warnings]
    beside = _beside(certificate, judged, untrained)
    cards = [*_cards(judged), *([] if beside is None else [beside.card])]
    return [
        Paragraph(_what_it_is(certificate, best)),
        Figures(tuple(cards)),
        Paragraph(_is_it_good(certificate, judged, beside)),
        *warnings,
    ]


def _so_far(rows: Sequence[Row], best: Row | None) -> list[Part]:
    complete = sum(row.record.state == "complete" and not row.is_baseline for row in rows)
    text = f"{complete} trials are complete so far."
    if best is not None and best.record.validation.auc is not None:
        text += (
            f" The best is {row_name(best)} with a validation AUC of "
            f"{interval_text(best.record.validation.auc, best.field('val_auc_ci'))}: "
            f"{best.record.description.what}."
        )
    return [Paragraph(text)]


def _what_it_is(certificate: Certificate, best: Row | None) -> str:
    frames, height, width, _ = certificate.input.shape
    origin = certificate.origin
    what = f"of {origin.stage} trial {origin.trial}"
    if certificate.ensemble is not None and certificate.ensemble.exported:
        what = f"the mean of {len(certificate.ensemble.members)} trials"
    elif best is not None and best.name == f"{origin.stage}/{origin.trial}":
        words = best.record.description.what
        what += f" ({words})" if words else ""
    beside = "".join(f" and {name}" for name in certificate.modalities)
    return (
        f"A detector that takes {frames} frames of {height} by {width} pixels{beside} and returns "
        f"the probability that the face in them is a fake: {what}, {certificate.params:,} "
        f"weights, calibrated and with its threshold of {certificate.threshold:.3f} frozen on "
        "validation."
    )


def _cards(judged: Evaluation) -> list[tuple[str, str, str]]:
    return [
        (
            f"AUC on {_SPLITS.get(judged.split, judged.split)}",
            f"{judged.auc:.3f}",
            f"{_edges(judged)}{judged.reals} real and {judged.fakes} fake videos",
        ),
        (
            "fakes found at the threshold",
            f"{judged.recall:.0%}",
            f"of {judged.fakes}; {judged.precision:.0%} of the videos called fake are fake",
        ),
    ]


def _edges(judged: Evaluation) -> str:
    if judged.auc_ci is None:
        return "no interval: too few identity groups; "
    return f"95% interval {judged.auc_ci[0]:.3f} to {judged.auc_ci[1]:.3f}; "


@dataclasses.dataclass(frozen=True)
class _BaselineCard:
    """The best score without training, and whether the model is above it.

    Attributes:
        card: its figures.
        verdict: verdict in a sentence.
    """

    card: tuple[str, str, str]
    verdict: str


def _beside(
    certificate: Certificate, judged: Evaluation, untrained: Row | None
) -> _BaselineCard | None:
    """Return the comparison with the best baseline on the tested clips, else on validation."""
    if judged.untrained is not None:
        # Of a damaged certificate these may be anything.
        with contextlib.suppress(KeyError, TypeError, ValueError, IndexError):
            return _on_tested(judged.untrained)
    auc = None if untrained is None else untrained.record.validation.auc
    if untrained is None or auc is None:
        return None
    name, ours = baseline_name(untrained), certificate.validation.auc
    word = f"{name}, AUC on validation; the model has {ours:.3f} there"
    tied = untrained.is_tied
    return _BaselineCard(
        (_WITHOUT, f"{auc:.3f}", word),
        _against(name, ours - auc, None if tied is None else not tied),
    )


def _on_tested(found: Mapping[str, Any]) -> _BaselineCard:
    name = str(found["name"]).replace("_", " ")
    margin, edges = found["margin"], found["margin_ci"]
    word = f"{name}, on the same clips; margin of the model: {interval_text(margin, edges)}"
    clearly = None if edges is None else edges[0] > 0
    return _BaselineCard((_WITHOUT, f"{found['auc']:.3f}", word), _against(name, margin, clearly))


def _against(name: str, margin: float, clearly: bool | None) -> str:
    if margin <= 0:
        return f"It is not better than {name}, the best baseline without training."
    if clearly is None:
        return f"It scores above {name}, the best baseline; with so few people that may be chance."
    if clearly:
        return f"It is significantly better than {name}, the best baseline without training."
    return f"It is not significantly better than {name}, the best baseline without training."


def _is_it_good(certificate: Certificate, judged: Evaluation, beside: _BaselineCard | None) -> str:
    """Return the verdict on the model in a few sentences."""
    sentences = []
    if certificate.synthetic:
        sentences.append("Synthetic clips show nothing about real deepfakes.")
    if certificate.test is None:
        sentences.append(
            "It was not tested: there is no test split with both labels. The figures are of the "
            "validation split, on which the model was chosen, and flatter it."
        )
    elif certificate.synthetic:
        pass
    elif judged.auc_ci is None:
        sentences.append("With so few people the role of chance is unknown.")
    elif judged.auc_ci[0] <= 0.5:
        sentences.append("On these people it is not significantly better than guessing.")
    else:
        sentences.append("On people it has not seen it is significantly better than guessing.")
    if beside is not None:
        sentences.append(beside.verdict)
    return " ".join(sentences)


def _warnings(
    rows: Sequence[Row], judged: Evaluation | None, audit: Audit | str
) -> tuple[str, ...]:
    cautions = [] if isinstance(audit, str) else _on_data(audit)
    ties = sum(row.is_tied is True and row.rank != 1 for row in rows)
    if ties:
        cautions.append(
            f"{ties} rows of the leaderboard are tied with the best: their order is chance."
        )
    if judged is not None:
        if abs(judged.coverage_real - judged.coverage_fake) > _UNEVEN_COVERAGE:
            cautions.append(
                "Face coverage differs between reals and fakes, which alone can separate them."
            )
        if judged.quarantined:
            cautions.append(f"{judged.quarantined} videos are in quarantine and were not scored.")
        methods = enumerate_first(judged.by_method)
        if methods:
            cautions.append(
                f"It was measured on {methods}. Scores fall, often to chance, on manipulations, "
                "cameras and codecs that a detector has not seen."
            )
    cautions.append(
        "A verdict is a probability about a few frames of one face, not proof, and never the only "
        "ground for a decision about a person."
    )
    return tuple(cautions)


def _on_data(audit: Audit) -> list[str]:
    """Return faults of the data; baselines that separate fakes are one sentence."""
    cautions = [
        finding.text
        for finding in audit.findings
        if finding.severity in (LEAK, WARNING) and not finding.text.startswith(_SHORTCUT)
    ]
    telling = [
        f"{quantity.name.replace('_', ' ')} (AUC {quantity.auc:.2f})"
        for quantity in audit.shortcuts
        if is_shortcut(quantity.auc, quantity.interval)
    ]
    if telling:
        more = f" and {len(telling) - _MOST_NAMED} more" if len(telling) > _MOST_NAMED else ""
        cautions.append(
            "These baselines separate fakes from reals without training: "
            f"{', '.join(telling[:_MOST_NAMED])}{more}. A model may have learnt no more than that."
        )
    if audit.people < _FEW_PEOPLE:
        cautions.append(f"The store has {audit.people} identity groups: scores vary by chance.")
    return cautions


def reproduction_parts(run: RunDirectory, certificate: Certificate | str) -> list[Part]:
    """Return configuration, versions, fingerprints and the commands that repeat a run."""
    folder = run.root.name or "RUN_DIR"
    parts: list[Part] = [
        Code(
            "Commands",
            "\n".join(
                (
                    f"dfsearch run {folder}/config.toml      # resumes this run",
                    "dfsearch run COPY/config.toml      # repeats it in another folder",
                    f"dfsearch evaluate {folder}",
                    f"dfsearch predict {folder} VIDEO",
                )
            ),
            open=True,
        )
    ]
    try:
        parts.insert(0, Facts((("store fingerprint", run.read_fingerprint()),)))
    except UserError as error:
        parts.insert(0, Missing("Store", str(error)))
    if isinstance(certificate, str):
        parts.append(Missing("Certificate", certificate))
    else:
        parts[0] = Facts(_facts(certificate))
    try:
        parts.append(Code("config.toml", _without_secrets(read_text(run.config, LARGEST_TOML))))
    except (OSError, ValueError, RecursionError) as error:
        parts.append(Missing("config.toml", f"it cannot be read: {error}"))
    return parts


def _facts(certificate: Certificate) -> tuple[tuple[str, str], ...]:
    files = certificate.files
    preparation = certificate.preparation["clip"]
    return (
        ("made", certificate.created),
        ("test split opened", certificate.test_opened or "never"),
        ("seed", str(certificate.seed)),
        ("store fingerprint", certificate.store.get("fingerprint", "")),
        (files.h5.file, f"{files.h5.bytes:,} bytes, SHA-256 {files.h5.sha256}"),
        (files.keras.file, f"{files.keras.bytes:,} bytes, SHA-256 {files.keras.sha256}"),
        ("clips", ", ".join(f"{name} {value}" for name, value in preparation.items())),
        ("architecture", _settings(certificate.architecture)),
        ("training", _settings(certificate.training)),
        ("versions", ", ".join(f"{name} {value}" for name, value in certificate.versions.items())),
    )


def _settings(values: dict[str, object]) -> str:
    return ", ".join(f"{name.removeprefix('detector/')} {value}" for name, value in values.items())


def _without_secrets(text: str) -> str:
    """Return a configuration without the password of its database.

    An address of an unusual form is left out: any part of it may belong to a password.
    """
    settings = tomllib.loads(text)
    if url := settings.get("storage"):
        parts = _DATABASE.fullmatch(str(url))
        hidden = ":..." if parts and parts[2] else ""
        settings["storage"] = f"{parts[1]}{hidden}@{parts[3]}" if parts else "..."
    return tomli_w.dumps(settings)
