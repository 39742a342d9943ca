"""Faults of a store as evidence: leaks, imbalance and shortcuts, in plain words."""

from __future__ import annotations

import collections
import dataclasses
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from data_prep.audit.leaks import CONTENT, FILE, GROUP, NAME, VIDEO, Leak, find_leaks
from data_prep.audit.separation import Combined, Separation, combined_separation, separations
from data_prep.bootstrap import Interval
from data_prep.errors import UserError
from data_prep.store.format import LABEL_NAMES, LARGEST_QUANTITY, REAL_ONLY
from data_prep.store.store import SPLITS, Store

LEAK, WARNING, NOTE = "leak", "warning", "note"
SEVERITIES = (LEAK, WARNING, NOTE)

_USES = (*LABEL_NAMES.values(), REAL_ONLY)

# An AUC from here on is reported if its interval lies above chance; where there are too
# few people for an interval, chance alone reaches it, and more is asked for.
_SHORTCUT = 0.7
_SHORTCUT_WITHOUT_INTERVAL = 0.9

# Reported differences between the labels, in fractions of clips or frames.
_DIFFERENCE = 0.05
_IMBALANCE = 4


@dataclasses.dataclass(frozen=True)
class Finding:
    """One sentence of the audit and how much it weighs: a leak, a warning or a note."""

    severity: str
    text: str


@dataclasses.dataclass(frozen=True)
class Balance:
    """Clips of one method in one split.

    Attributes:
        split, label, method: names; label is ``real``, ``fake`` or ``real-only``.
        clips: number of clips.
        people: identity groups in them.
    """

    split: str
    label: str
    method: str
    clips: int
    people: int


@dataclasses.dataclass(frozen=True)
class Coverage:
    """Coverage of a split and label: share of the examined frames with a found face.

    Attributes:
        split: name, or ``all``.
        label: ``real`` or ``fake``.
        mean: mean coverage of the clips.
        incomplete: fraction of clips with less than 1.
    """

    split: str
    label: str
    mean: float
    incomplete: float


@dataclasses.dataclass(frozen=True)
class Losses:
    """Videos of one label that were left out.

    Attributes:
        label: of the clips in the folder of the file; ``unknown`` if it does not show one.
        quarantined: videos left out.
        clips: videos kept, 0 for ``unknown``.
    """

    label: str
    quarantined: int
    clips: int


@dataclasses.dataclass(frozen=True)
class Audit:
    """Findings of an audit.

    Attributes:
        store: path.
        fingerprint: fingerprint of the store.
        clips: number of clips.
        people: identity groups.
        synthetic: whether a program drew the clips.
        findings: sentences, the most serious first.
        leaks: items that lie in several splits.
        balance: number of clips by split, label and method.
        coverage: coverage by split and label, and of all clips by label.
        losses: quarantined videos by label.
        shortcuts: Separation of the labels by single quantities; empty with one label alone.
        combined: Separation by all of them together; None with one label alone.
    """

    store: str
    fingerprint: str
    clips: int
    people: int
    synthetic: bool
    findings: tuple[Finding, ...]
    leaks: tuple[Leak, ...]
    balance: tuple[Balance, ...]
    coverage: tuple[Coverage, ...]
    losses: tuple[Losses, ...]
    shortcuts: tuple[Separation, ...]
    combined: Combined | None

    def to_json(self) -> dict[str, Any]:
        """Return the audit as plain values."""
        return dataclasses.asdict(self)


def audit(store: Store, *, seed: int = 0) -> Audit:
    """Search for faults that would inflate a score on this store.

    Frames are read once, for the hashes of :func:`data_prep.audit.leaks.find_leaks`; the rest is
    metadata.

    Args:
        store: opened for reading.
        seed: seed of folds and intervals.

    Raises:
        UserError: a label, split or quantity is missing, so nothing can be measured.
    """
    _check(store)
    both = len(set(store.labels[~store.real_only].tolist())) == 2
    found = Audit(
        store=str(store.path),
        fingerprint=store.fingerprint,
        clips=len(store),
        people=len(set(store.groups)),
        synthetic=store.is_synthetic,
        findings=(),
        leaks=find_leaks(store),
        balance=_balance(store),
        coverage=_coverage(store),
        losses=_losses(store),
        shortcuts=separations(store, seed) if both else (),
        combined=combined_separation(store, seed) if both else None,
    )
    overlap = (store.preparation.get("split") or {}).get("overlap", 0)
    findings = [
        *_on_leaks(found, overlap),
        *_on_balance(found),
        *_on_coverage(found),
        *_on_losses(found),
        *_on_shortcuts(found),
    ]
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return dataclasses.replace(found, findings=tuple(findings))


def _check(store: Store) -> None:
    if not len(store):
        raise UserError(f"{store.path} holds no clip")
    if not set(store.splits) <= set(SPLITS) or not set(store.labels.tolist()) <= set(LABEL_NAMES):
        raise UserError(
            f"{store.path} has invalid labels or splits; run dfsearch verify {store.path}"
        )
    if not ((store.coverage >= 0) & (store.coverage <= 1)).all():
        raise UserError(
            f"{store.path} has clips whose coverage is not from 0 to 1; run dfsearch verify "
            f"{store.path}"
        )
    for name, values in store.shortcuts.items():
        if not (np.abs(values) <= LARGEST_QUANTITY).all():
            raise UserError(
                f"{store.path} has clips whose {name} is not finite or exceeds "
                f"{LARGEST_QUANTITY:g}; run dfsearch verify {store.path}"
            )


# Counts.


def _balance(store: Store) -> tuple[Balance, ...]:
    rows_of: dict[tuple[int, int, str], list[int]] = collections.defaultdict(list)
    for row, (split, use, method) in enumerate(
        zip(store.splits, _uses(store), store.methods, strict=True)
    ):
        rows_of[SPLITS.index(split), _USES.index(use), str(method)].append(row)
    return tuple(
        Balance(SPLITS[split], _USES[use], method, len(rows), len(set(store.groups[rows])))
        for (split, use, method), rows in sorted(rows_of.items())
    )


def _uses(store: Store) -> list[str]:
    """Return the label of every clip, ``real-only`` for material of pseudo-fakes."""
    return [
        REAL_ONLY if real_only else LABEL_NAMES[label]
        for label, real_only in zip(store.labels.tolist(), store.real_only, strict=True)
    ]


def _coverage(store: Store) -> tuple[Coverage, ...]:
    found = []
    for split in (*SPLITS, "all"):
        for label, name in LABEL_NAMES.items():
            wanted = (store.labels == label) & ((store.splits == split) | (split == "all"))
            wanted &= ~store.real_only
            values = store.coverage[wanted]
            if len(values):
                found.append(
                    Coverage(split, name, float(values.mean()), float((values < 1).mean()))
                )
    return tuple(found)


def _losses(store: Store) -> tuple[Losses, ...]:
    """Count quarantined videos by label.

    A quarantined video has no label: it takes the label of the clips of its folder.
    """
    uses = _uses(store)
    uses_of: dict[PurePosixPath, set[str]] = collections.defaultdict(set)
    for path, use in zip(store.paths, uses, strict=True):
        for folder in PurePosixPath(path).parents:
            uses_of[folder].add(use)
    lost: collections.Counter[str] = collections.Counter()
    for entry in store.quarantine:
        folders = PurePosixPath(entry.path).parents
        nearest = next((uses_of[folder] for folder in folders if folder in uses_of), set())
        lost[min(nearest) if len(nearest) == 1 else "unknown"] += 1
    return tuple(
        Losses(name, lost[name], uses.count(name)) for name in (*_USES, "unknown") if lost[name]
    )


# Sentences.


def _on_leaks(found: Audit, overlap: int) -> list[Finding]:
    findings = []
    for leak in found.leaks:
        one, many = _SHARED[leak.kind]
        what = f"{leak.count} {many} are" if leak.count > 1 else f"1 {one} is"
        example = leak.examples[0]
        clips = " and ".join(f"{clip.key} ({clip.split})" for clip in example.clips)
        likely = "" if leak.certain else "likely: "
        text = f"{likely}{what} in more than one split, e.g. {example.what}: {clips}"
        findings.append(Finding(LEAK, text))
    if overlap:
        findings.append(
            Finding(
                NOTE,
                f"{overlap} identity groups are in several splits: the store was prepared with "
                "--allow-overlap",
            )
        )
    if not found.leaks and len({row.split for row in found.balance}) > 1:
        findings.append(Finding(NOTE, "no leak between the splits was found"))
    return findings


_SHARED = {
    GROUP: ("identity group", "identity groups"),
    FILE: ("source file (SHA-256)", "source files (SHA-256)"),
    VIDEO: ("source video", "source videos"),
    NAME: ("video name", "video names"),
    CONTENT: ("pair of clips showing the same picture", "pairs of clips showing the same picture"),
}


def _on_balance(found: Audit) -> list[Finding]:
    findings = []
    if found.synthetic:
        findings.append(
            Finding(NOTE, "SYNTHETIC: scores on this store do not apply to real deepfakes")
        )
    for split in SPLITS:
        clips = dict.fromkeys(LABEL_NAMES.values(), 0)
        for row in found.balance:
            if row.split == split and row.label in clips:
                clips[row.label] += row.clips
        reals, fakes = clips.values()
        if not reals and not fakes:
            continue
        if not reals or not fakes:
            text = f"{split} has {reals} real and {fakes} fake clips: its AUC is undefined"
            findings.append(Finding(WARNING, text))
        elif max(reals, fakes) > _IMBALANCE * min(reals, fakes):
            text = f"{split} has {reals} real and {fakes} fake clips: accuracy alone misleads"
            findings.append(Finding(NOTE, text))
    return findings


def _on_coverage(found: Audit) -> list[Finding]:
    of_all = {row.label: row for row in found.coverage if row.split == "all"}
    if len(of_all) < 2:
        return []
    real, fake = of_all["real"], of_all["fake"]
    apart = max(abs(real.mean - fake.mean), abs(real.incomplete - fake.incomplete))
    if apart <= _DIFFERENCE:
        return []
    text = (
        f"face coverage differs: faces were found in {real.mean:.1%} of real and "
        f"{fake.mean:.1%} of fake frames; {real.incomplete:.1%} of real and "
        f"{fake.incomplete:.1%} of fake clips are incomplete"
    )
    return [Finding(WARNING, text)]


def _on_losses(found: Audit) -> list[Finding]:
    if not found.losses:
        return []
    parts = [
        f"{row.quarantined} of {row.quarantined + row.clips} {row.label}"
        if row.clips
        else f"{row.quarantined} of {row.label} label"
        for row in found.losses
    ]
    kept = {row.label: row for row in found.losses}
    shares = [
        kept[name].quarantined / (kept[name].quarantined + kept[name].clips) if name in kept else 0
        for name in LABEL_NAMES.values()
    ]
    uneven = abs(shares[0] - shares[1]) > _DIFFERENCE
    text = f"quarantined videos: {', '.join(parts)}"
    if uneven:
        text += "; the loss rate differs between reals and fakes"
    return [Finding(WARNING if uneven else NOTE, text)]


def _on_shortcuts(found: Audit) -> list[Finding]:
    if found.combined is None:
        return [Finding(NOTE, "one label only: shortcuts cannot be measured")]
    findings = [
        Finding(WARNING, f"shortcut: {describe(quantity)}")
        for quantity in found.shortcuts
        if is_shortcut(quantity.auc, quantity.interval)
    ]
    combined = found.combined
    if combined.auc is None:
        text = f"all baselines combined: no AUC ({combined.reason})"
        findings.append(Finding(NOTE, text))
    else:
        severity = WARNING if is_shortcut(combined.auc, combined.interval) else NOTE
        text = (
            f"all baselines combined, on held-out people: {auc_text(combined.auc)}"
            f"{interval_text(combined.interval)}; compare every detector with this score"
        )
        findings.append(Finding(severity, text))
    constant = [quantity.name for quantity in found.shortcuts if quantity.constant]
    if constant:
        findings.append(Finding(NOTE, f"constant in every clip: {', '.join(constant)}"))
    if not found.shortcuts:
        findings.append(Finding(NOTE, "the store has no shortcut quantities"))
    return findings


def is_shortcut(auc: float, interval: Interval) -> bool:
    """Return whether an AUC needs a warning: high, and significantly above chance."""
    if interval is None:
        return auc >= _SHORTCUT_WITHOUT_INTERVAL
    return auc >= _SHORTCUT and interval[0] > 0.5


def describe(quantity: Separation) -> str:
    """Return a line such as ``width: real 944, fake 942, AUC 1.00 (too few people ...)``."""
    text = (
        f"{quantity.name}: real {value_text(quantity.real)}, fake {value_text(quantity.fake)}, "
        f"{auc_text(quantity.auc)}{interval_text(quantity.interval)}"
    )
    if quantity.held_out_auc is not None:
        held_out = auc_text(quantity.held_out_auc)
        text += f"; with the direction chosen on train, the other splits reach {held_out}"
    return text


def value_text(value: float | str) -> str:
    """Return a median or a codec as printed text."""
    if isinstance(value, str):
        return value or "none"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def auc_text(auc: float) -> str:
    """Return text such as ``AUC 0.74``."""
    return f"AUC {auc:.2f}"


def interval_text(interval: Interval) -> str:
    """Return text such as `` (0.61 to 0.84)``."""
    if interval is None:
        return " (too few people for an interval)"
    return f" ({interval[0]:.2f} to {interval[1]:.2f})"
