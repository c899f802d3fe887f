"""CLIP-style image-text models on phones: modify, export, prove, measure, ship.

Names load on first use, so that `import pocketclip` costs nothing. Nothing prints: what you should know is logged under
`pocketclip`, how far long work has come goes to a callback, and every error is a `PocketClipError` with `code` and
`fix`. docs/python.md shows each function.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pocketclip.benchmark.api import (
        BenchOptions,
        EvaluateOptions,
        RecordStore,
        bench,
        bench_farm,
        bench_fleet,
        bench_throughput,
        build_app,
        check_app,
        check_device,
        check_store,
        compare,
        compare_with_baseline,
        emulated_phone,
        evaluate,
        fleet_status,
        import_records,
        list_devices,
        merge_records,
        open_store,
        report,
        write_records,
    )
    from pocketclip.benchmark.tune.studies import TunedStudy, TuneOptions, open_study, tune
    from pocketclip.export.api import (
        Artifact,
        Bundle,
        ExportOptions,
        classify,
        export,
        export_all,
        find_artifacts,
        index_photos,
        inspect,
        lint,
        load_artifact,
        open_bundle,
        search_photos,
        similar_photos,
        write_bundle,
    )
    from pocketclip.models.api import (
        Model,
        build_pictures,
        build_vocabulary,
        list_models,
        load_model,
        reinforce,
        train,
    )
    from pocketclip.models.errors import PocketClipError
    from pocketclip.models.progress import Progress
    from pocketclip.models.training.config import TrainingConfig

_HOMES = {
    "Artifact": "pocketclip.export.api",
    "BenchOptions": "pocketclip.benchmark.api",
    "Bundle": "pocketclip.export.api",
    "EvaluateOptions": "pocketclip.benchmark.api",
    "ExportOptions": "pocketclip.export.api",
    "Model": "pocketclip.models.api",
    "PocketClipError": "pocketclip.models.errors",
    "Progress": "pocketclip.models.progress",
    "RecordStore": "pocketclip.benchmark.api",
    "TrainingConfig": "pocketclip.models.training.config",
    "TuneOptions": "pocketclip.benchmark.tune.studies",
    "TunedStudy": "pocketclip.benchmark.tune.studies",
    "bench": "pocketclip.benchmark.api",
    "bench_farm": "pocketclip.benchmark.api",
    "bench_fleet": "pocketclip.benchmark.api",
    "bench_throughput": "pocketclip.benchmark.api",
    "build_app": "pocketclip.benchmark.api",
    "check_app": "pocketclip.benchmark.api",
    "build_pictures": "pocketclip.models.api",
    "build_vocabulary": "pocketclip.models.api",
    "check_device": "pocketclip.benchmark.api",
    "check_store": "pocketclip.benchmark.api",
    "classify": "pocketclip.export.api",
    "compare": "pocketclip.benchmark.api",
    "compare_with_baseline": "pocketclip.benchmark.api",
    "emulated_phone": "pocketclip.benchmark.api",
    "evaluate": "pocketclip.benchmark.api",
    "export_all": "pocketclip.export.api",
    "find_artifacts": "pocketclip.export.api",
    "fleet_status": "pocketclip.benchmark.api",
    "import_records": "pocketclip.benchmark.api",
    "index_photos": "pocketclip.export.api",
    "inspect": "pocketclip.export.api",
    "lint": "pocketclip.export.api",
    "list_devices": "pocketclip.benchmark.api",
    "list_models": "pocketclip.models.api",
    "load_artifact": "pocketclip.export.api",
    "load_model": "pocketclip.models.api",
    "merge_records": "pocketclip.benchmark.api",
    "open_bundle": "pocketclip.export.api",
    "open_store": "pocketclip.benchmark.api",
    "open_study": "pocketclip.benchmark.tune.studies",
    "reinforce": "pocketclip.models.api",
    "report": "pocketclip.benchmark.api",
    "search_photos": "pocketclip.export.api",
    "similar_photos": "pocketclip.export.api",
    "train": "pocketclip.models.api",
    "tune": "pocketclip.benchmark.tune.studies",
    "write_bundle": "pocketclip.export.api",
    "write_records": "pocketclip.benchmark.api",
}
# Packages of this name; the first can be called.
_PACKAGES = ("export", "models", "benchmark")

__all__ = [
    "Artifact",
    "BenchOptions",
    "Bundle",
    "EvaluateOptions",
    "ExportOptions",
    "Model",
    "PocketClipError",
    "Progress",
    "RecordStore",
    "TrainingConfig",
    "TuneOptions",
    "TunedStudy",
    "bench",
    "bench_farm",
    "bench_fleet",
    "bench_throughput",
    "build_app",
    "build_pictures",
    "build_vocabulary",
    "check_app",
    "check_device",
    "check_store",
    "classify",
    "compare",
    "compare_with_baseline",
    "emulated_phone",
    "evaluate",
    "export",
    "export_all",
    "find_artifacts",
    "fleet_status",
    "import_records",
    "index_photos",
    "inspect",
    "lint",
    "list_devices",
    "list_models",
    "load_artifact",
    "load_model",
    "merge_records",
    "open_bundle",
    "open_store",
    "open_study",
    "reinforce",
    "report",
    "search_photos",
    "similar_photos",
    "train",
    "tune",
    "write_bundle",
    "write_records",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from pocketclip.models.terminal.version import tool_version

        return tool_version()
    if name in _PACKAGES:
        return importlib.import_module(f"pocketclip.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'pocketclip' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
