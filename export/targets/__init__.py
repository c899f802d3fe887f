"""The export targets: what each one is, and how its files are opened."""

from __future__ import annotations

from pocketclip.export.targets.choosing import parse_precisions, parse_targets, requirement
from pocketclip.export.targets.opening import (
    load_runner,
    load_target,
    open_model,
    open_prepared,
    open_session,
    package_versions,
    probe,
    runtime_name,
)
from pocketclip.export.targets.table import NEWEST_IOS, NOT_YET, TARGETS, TargetEntry

__all__ = [
    "NEWEST_IOS",
    "NOT_YET",
    "TARGETS",
    "TargetEntry",
    "load_runner",
    "load_target",
    "open_model",
    "open_prepared",
    "open_session",
    "package_versions",
    "parse_precisions",
    "parse_targets",
    "probe",
    "requirement",
    "runtime_name",
]
