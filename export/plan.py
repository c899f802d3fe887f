"""From the words of a command line to the jobs of an export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from export.calibration import CalibrationRequest
from export.errors import TargetUnavailableError, UnknownTargetError
from export.job import ExportJob
from export.precision import TargetName, Tower
from export.targets import parse_precisions, parse_targets, probe, requirement
from models.errors import choices
from models.registry import checkpoint_of, resolve_config


@dataclass(frozen=True)
class Plan:
    """The jobs asked for, and the targets of `all` that are unavailable here."""

    jobs: tuple[ExportJob, ...]
    skipped: tuple[TargetName, ...]


def make_plan(
    model: str,
    changes: Sequence[str],
    weights: str | None,
    target: str,
    quantize: str,
    tower: str,
    out: Path,
    *,
    calibration: CalibrationRequest,
    raw: bool = False,
    ios: int | None = None,
) -> Plan:
    """The jobs for what a user names; see `pocketclip export --help` for the words.

    Raises:
        UnknownTargetError: no such target or tower, or none was named.
        UnsupportedPrecisionError: a target does not offer a precision, or not for that iOS.
        TargetUnavailableError: the packages of a target that was named are missing, or those of all.
        UnknownModelError, ConfigError, CheckpointError: as `models.registry`.
    """
    config = resolve_config(model, changes, weights)
    if not target:
        raise UnknownTargetError(f"name a --target: {choices(TargetName)}, or all")
    if tower not in (*Tower, "both"):
        raise UnknownTargetError(f"there is no tower {tower!r}; choose among: {choices(Tower)}, both")
    towers = list(Tower) if tower == "both" else [Tower(tower)]
    found = checkpoint_of(config, weights)
    checkpoint = None if found is None else str(found)
    jobs: list[ExportJob] = []
    skipped: list[TargetName] = []
    for name in parse_targets(target):
        precisions = parse_precisions(quantize, name)
        availability = probe(name)
        if not availability.available:
            if target != "all":
                raise TargetUnavailableError(
                    f"target {name} is unavailable: {availability.reason}; add it with: {availability.install}"
                )
            skipped.append(name)
            continue
        for precision in precisions:
            requirement(name, precision, ios)
            jobs += [
                ExportJob(config, checkpoint, name, precision, each, out, calibration, raw, ios) for each in towers
            ]
    if not jobs:
        raise TargetUnavailableError(
            "no target can be used here; see `pocketclip export --list` for what each one needs"
        )
    return Plan(tuple(jobs), tuple(skipped))
