"""The model card of a run: purpose, structure and limits of the detector.

In the order of Mitchell et al., "Model Cards for Model Reporting" (2019).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from artifacts.certificate import Certificate
from artifacts.metrics.metrics import Evaluation
from artifacts.run_directory import RunDirectory, write_text

NAME = "MODEL_CARD.md"

_SYNTHETIC = """\
> **Made on synthetic data.** The clips were drawn by a program. The scores below show that the
> machine runs and say nothing about real deepfakes; this model must not be used on anyone's
> video.
"""
_USE = """\
Detection of faces in videos that were manipulated by a method like those the model was trained
on: research, triage before a person looks, comparison of detectors. It takes one clip of a face
and gives one calibrated probability.

Not for: a verdict about a person without other grounds; proof in court; methods, cameras and
codecs it was not tested on, without an evaluation there first; pictures without a face;
identifying people.
"""
_LIMITS = """\
- A detector knows the manipulations, cameras and codecs of its data. Scores fall, often to
  chance, on others.
- With knowledge of the detector, fakes can be made that pass it. Compression alone can hide
  traces.
- The probability is calibrated on the validation split; where fakes are rarer or more frequent
  than there, it is not a probability of being fake.
- Intervals are over identity groups: with few of them they are rough, and with one there is none.
"""
_ETHICS = """\
- A false alarm accuses an innocent person; a miss lets a forgery pass. The threshold gives both
  equal weight, which may be wrong for a use of the model.
- How errors are spread over age, sex and skin colour was not measured: the data names none of
  them. Measure it on data of your own before people are judged with the model.
- Keep to the terms under which the videos of the people it was trained on were given.
"""


def write_model_card(run: RunDirectory, folder: Path | None = None) -> Path:
    """Write ``MODEL_CARD.md`` of a finished run.

    Args:
        run: a finished run.
        folder: folder of the card; the run's own by default.

    Raises:
        UserError: the run has no certificate.
    """
    path = (folder or run.root) / NAME
    write_text(path, model_card(Certificate.read(run)))
    return path


def model_card(certificate: Certificate) -> str:
    """Return the card as Markdown, from the certificate of a model."""
    parts: list[str] = ["# Model card: deepfake detector"]
    if certificate.synthetic:
        parts.append(_SYNTHETIC)
    parts += [
        *("## Intended use", _USE),
        *("## Data", _data(certificate)),
        *("## Preparation", _table("setting", certificate.preparation["clip"])),
        *("## Model", _model(certificate)),
        *("## Training", _table("setting", certificate.training)),
        *("## Metrics", _metrics(certificate)),
        *("## Limits", _LIMITS),
        *("## Ethics", _ETHICS),
        *("## Files and versions", _files(certificate)),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _data(certificate: Certificate) -> str:
    kept = certificate.preparation
    kind = "Synthetic clips" if certificate.synthetic else "Clips"
    split = kept.get("split", {})
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for count in kept.get("counts", ()):
        row = counts.setdefault((count["label"], count["method"]), {})
        row[count["split"]] = row.get(count["split"], 0) + count["clips"]
    lines = [
        f"{kind} in the layout {kept.get('layout', 'unknown')}, splits: "
        f"{split.get('policy', 'unknown')}; fingerprint `{certificate.store['fingerprint']}`.",
        _rows(
            ("label", "method", "train", "val", "test"),
            (
                (label, method, *(row.get(name, 0) for name in ("train", "val", "test")))
                for (label, method), row in sorted(counts.items(), reverse=True)
            ),
        ),
        f"{certificate.validation.quarantined} videos were quarantined and not used. The face was "
        f"found in {certificate.validation.coverage:.1%} of the sampled frames of the validation "
        "clips.",
    ]
    if split.get("overlap"):
        lines.append(f"**{split['overlap']} identity groups are in more than one split.**")
    return "\n\n".join(lines)


def _model(certificate: Certificate) -> str:
    frames = certificate.input
    takes = f"`{frames.name}` {frames.dtype} {_sides(frames.shape)}"
    for each in certificate.other_inputs:
        takes += f", `{each.name}` {each.dtype} {_sides(each.shape)}"
    text = (
        f"{certificate.params:,} weights, stock Keras layers. Takes {takes}; gives "
        f"`{certificate.output.name}`, at and above {certificate.threshold:.4f} a video is called "
        f"fake ({certificate.threshold_rule})."
    )
    if certificate.ensemble is not None:
        text += " A mean of several models was considered; the settings are of the best single one."
    return f"{text}\n\n{_table('choice', certificate.architecture)}"


def _metrics(certificate: Certificate) -> str:
    parts = []
    if certificate.test is not None:
        parts.append(
            f"Test split, opened {certificate.test_opened}:\n\n{_scores(certificate.test)}"
        )
    else:
        parts.append("The store has no test split with both labels: **nothing was tested.**")
    parts.append(
        "Validation split, on which the model was chosen, calibrated and given its threshold, and "
        f"so too good: {_scores(certificate.validation)}"
    )
    return "\n\n".join(parts)


def _scores(scored: Evaluation) -> str:
    values = scored.to_json()
    metrics = _rows(
        ("metric", "value", "95% interval"),
        (
            (name.replace("_", " "), _figure(values[name]), _interval(edges))
            for name, edges in scored.intervals.items()
            if name in values
        ),
    )
    methods = _rows(
        ("method", "videos", "AUC", "recall"),
        (
            (method, row["videos"], _figure(row["auc"]), _figure(row["recall"]))
            for method, row in scored.by_method.items()
        ),
    )
    return f"{scored.reals} real and {scored.fakes} fake videos.\n\n{metrics}\n\n{methods}"


def _files(certificate: Certificate) -> str:
    files = _rows(
        ("file", "bytes", "SHA-256"),
        (
            (f"`{each.file}`", each.bytes, f"`{each.sha256}`")
            for each in (certificate.files.h5, certificate.files.keras)
        ),
    )
    made = f"Made {certificate.created} with seed {certificate.seed}."
    return f"{files}\n\n{made}\n\n{_table('of', certificate.versions, value='version')}"


def _table(name: str, values: dict[str, Any], value: str = "value") -> str:
    if not values:
        return "None recorded."
    return _rows((name, value), ((f"`{key}`", item) for key, item in values.items()))


def _rows(names: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> str:
    def lines() -> Iterator[tuple[Any, ...]]:
        yield names
        yield ("---",) * len(names)
        yield from rows

    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines())


def _cell(value: Any) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _figure(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _interval(edges: tuple[float, float] | None) -> str:
    return "" if edges is None else f"{edges[0]:.3f} to {edges[1]:.3f}"


def _sides(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
