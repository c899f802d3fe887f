"""What a schema cannot say of a bundle's variants: that they fit their towers and each other."""

from __future__ import annotations

from pocketclip.export.bundle.manifest import Bundle, BundledModel, NpuBundle, SystemBundle
from pocketclip.export.precision import QNN_TARGETS, TargetName
from pocketclip.export.targets import runtime_name

Faults = list[tuple[bool, str]]


def variant_faults(manifest: Bundle) -> Faults:
    """Whether something is wrong, and in words what."""
    places = [model.place for model in manifest.models]
    # The files in it are what is sent to a phone.
    shared: Faults = [(len(set(places)) != len(places), "two models lie in one folder")]
    if isinstance(manifest, NpuBundle):
        return [*_npu_faults(manifest), *shared]
    if isinstance(manifest, SystemBundle):
        return [*_system_faults(manifest), *shared]
    return []


def _npu_faults(manifest: NpuBundle) -> Faults:
    variants = manifest.variants
    return [
        (
            any(each.target not in QNN_TARGETS or _runs_elsewhere(each) for each in variants),
            "a variant for a chip is of a target that prepares no graphs for chips",
        ),
        (
            any(tower.target in QNN_TARGETS for tower in (manifest.image, manifest.text)),
            "a tower runs on single chips alone",
        ),
        (
            len({(each.tower, each.soc, each.target) for each in variants}) != len(variants),
            "two variants are for the same chip and runtime",
        ),
        (any(each.on_cpu or each.graphs != 1 for each in variants), "a variant leaves a part of its tower to the CPU"),
    ]


def _system_faults(manifest: SystemBundle) -> Faults:
    variants = manifest.variants
    return [
        (
            any(each.target is not TargetName.COREAI or _runs_elsewhere(each) for each in variants),
            f"a variant for newer systems is of another target than {TargetName.COREAI}",
        ),
        (
            any(
                tower.target is not TargetName.COREML or _runs_elsewhere(tower)
                for tower in (manifest.image, manifest.text)
            ),
            "a tower with variants for newer systems is not for those before",
        ),
        (len({each.tower for each in variants}) != len(variants), "a tower has two variants for the same systems"),
        (any(each.minimum_ios is None for each in variants), "a variant does not say from which system on it runs"),
        (
            any(len(set(each.specializations)) != len(each.specializations) for each in variants),
            "a variant has a specialisation twice",
        ),
    ]


def _runs_elsewhere(model: BundledModel) -> bool:
    return model.runtime != runtime_name(model.target)
