"""The public functions about artefacts, model files and bundles; `pocketclip` names them."""

from pocketclip.export.api.artifacts import (
    Artifact,
    VerifyRequest,
    classify,
    find_artifacts,
    folders_of,
    load_artifact,
    select_pair,
    verifying,
)
from pocketclip.export.api.bundles import Bundle, open_bundle, write_bundle
from pocketclip.export.api.exporting import ExportOptions, export, export_all, plan_export, run_export
from pocketclip.export.api.files import inspect, lint, lint_all

__all__ = [
    "Artifact",
    "Bundle",
    "ExportOptions",
    "VerifyRequest",
    "classify",
    "export",
    "export_all",
    "find_artifacts",
    "folders_of",
    "inspect",
    "lint",
    "lint_all",
    "load_artifact",
    "open_bundle",
    "plan_export",
    "run_export",
    "select_pair",
    "verifying",
    "write_bundle",
]
