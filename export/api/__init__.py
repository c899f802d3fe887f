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
from pocketclip.export.api.gallery import index_photos, search_photos, similar_photos, write_contact_sheet

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
    "index_photos",
    "inspect",
    "lint",
    "lint_all",
    "load_artifact",
    "open_bundle",
    "plan_export",
    "run_export",
    "search_photos",
    "select_pair",
    "similar_photos",
    "verifying",
    "write_bundle",
    "write_contact_sheet",
]
