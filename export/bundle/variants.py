"""What of a bundle's tower runs on this computer: a variant if its emulator or runtime is here, else the tower."""

from __future__ import annotations

from dataclasses import dataclass

from pocketclip.export.bundle.manifest import BundledModel, NpuVariant, Variant
from pocketclip.export.bundle.reading import OpenedBundle
from pocketclip.export.npu.socs import SOCS
from pocketclip.export.precision import Tower
from pocketclip.export.runtimes import Session
from pocketclip.export.targets import load_runner, open_model, open_prepared, probe


@dataclass(frozen=True)
class ChosenModel:
    """What runs as a tower here; `told` says so in words where there was a choice, and why a variant was left."""

    model: BundledModel
    told: str | None


def tower_of(bundle: OpenedBundle, tower: Tower) -> BundledModel:
    """What runs on every phone."""
    return bundle.manifest.image if tower is Tower.IMAGE else bundle.manifest.text


def choose_model(bundle: OpenedBundle, tower: Tower) -> ChosenModel:
    """The first variant of a tower that can run here, by its emulator or its runtime, else the tower itself."""
    lacking: dict[str, None] = {}
    for variant in bundle.manifest.variants_of(tower):
        reason = why_not_here(variant)
        if reason is None:
            return ChosenModel(variant, f"{tower}: {variant.target} {variant.precision} {_where(variant)}")
        lacking[reason] = None
    plain = tower_of(bundle, tower)
    told = f"{tower}: {plain.target} {plain.precision}; no variant runs here ({'; '.join(lacking)})"
    return ChosenModel(plain, told if lacking else None)


def _where(variant: Variant) -> str:
    if isinstance(variant, NpuVariant):
        return f"for {variant.soc}, by the emulator of its NPU"
    return f"for {variant.requires}, by {load_runner(variant.target).executed_by()}"


def why_not_here(variant: Variant) -> str | None:
    """Why a variant cannot run on this computer; None where it can."""
    if isinstance(variant, NpuVariant) and variant.soc not in SOCS:
        return f"{variant.soc} is not known here"
    availability = probe(variant.target)
    return None if availability.available else f"{variant.target} is unavailable: {availability.reason}"


def open_bundled(bundle: OpenedBundle, model: BundledModel) -> Session:
    """Loads a tower or a variant.

    Raises:
        TargetUnavailableError, ArtifactCorruptError: as `export.targets.open_model`.
    """
    path = bundle.model_path(model)
    if isinstance(model, NpuVariant):
        return open_prepared(model.target, path, model.soc)
    return open_model(model.target, path)
