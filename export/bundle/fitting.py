"""What a bundle is made of, and whether it fits together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.bundle.image_input import check_image_input
from pocketclip.export.bundle.manifest import Specialization
from pocketclip.export.errors import BundleError
from pocketclip.export.npu.npu_report import read_report
from pocketclip.export.precision import MAKER_TARGETS, QNN_TARGETS, TargetName, Tower
from pocketclip.models.errors import choices

# What runs on every Android phone's processor.
_FALLBACKS = (TargetName.ONNX, TargetName.EXECUTORCH, TargetName.TFLITE)
_LAYOUTS = {Tower.IMAGE: ("NCHW", "NHWC"), Tower.TEXT: ("NT",)}
# Where neither gives the right values, Core ML with all units is faster than Core AI on the processor alone.
DEFAULT_SPECIALIZATIONS = (Specialization.DEFAULT, Specialization.PREFER_GPU)


@dataclass(frozen=True)
class BundleRequest:
    """What to bundle.

    `templates` as `choose_templates` takes them; `weights_licence` is what the user states for the model's weights;
    `allow_failed` takes artefacts that missed their parity budget, or were never compared; `allow_untrained` those of
    fresh random weights, which the bundle's licence notes name. `npu` are artefacts of either tower for NPUs, the
    preferred ones first: they run in the place of `image` or `text` on phones with their chips. `coreai` are Core AI
    assets, which run in their place on iOS 27, with the first of `specializations` that gives the right values.
    """

    image: Artifact
    text: Artifact
    labels: Sequence[str] = ()
    templates: str | None = None
    weights_licence: str | None = None
    allow_failed: bool = False
    allow_untrained: bool = False
    npu: Sequence[Artifact] = ()
    coreai: Sequence[Artifact] = ()
    specializations: Sequence[Specialization] = DEFAULT_SPECIALIZATIONS

    @property
    def towers(self) -> dict[Tower, Artifact]:
        """The towers themselves, which run on every phone."""
        return {Tower.IMAGE: self.image, Tower.TEXT: self.text}


def parse_specializations(text: str) -> tuple[Specialization, ...]:
    """Specialisations by their names, with commas, the preferred ones first.

    Raises:
        BundleError: a name does not exist, or occurs twice.
    """
    names = [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in tuple(Specialization)]
    if unknown:
        raise BundleError(f"there is no specialisation {unknown[0]!r}", fix=f"choose among: {choices(Specialization)}")
    if len(set(names)) != len(names):
        raise BundleError(f"--specializations names one of them twice: {text}", fix="name each once")
    return tuple(map(Specialization, names))


def check_fit(request: BundleRequest) -> None:
    """Refuses artefacts that cannot be used together.

    Raises:
        BundleError: naming what does not fit, and what to do.
    """
    _check_pair(request)
    if request.npu and request.coreai:
        raise BundleError(
            "variants for Snapdragon's NPU are for Android phones, those for Core AI for iPhones",
            fix="make two bundles",
        )
    _check_npu_variants(request)
    _check_coreai_variants(request)


def _check_pair(request: BundleRequest) -> None:
    for artifact, wanted in ((request.image, Tower.IMAGE), (request.text, Tower.TEXT)):
        if artifact.manifest.tower is not wanted:
            raise BundleError(
                f"{artifact.folder} holds the {artifact.manifest.tower} tower, not the {wanted} tower",
                fix="give the image artefact to --image and the text artefact to --text",
            )
        _check_maker(artifact)
        if artifact.manifest.target in QNN_TARGETS:
            raise BundleError(
                f"{artifact.label} runs on some Snapdragon chips alone, and a bundle's towers on every phone",
                fix=f"give it to --npu, and to --{wanted} an artefact for the CPU, e.g. of target onnx",
            )
        _check_artifact(artifact, allow_failed=request.allow_failed)
        _check_trained(artifact, allow_untrained=request.allow_untrained)
    _check_one_model(request.image, request.text)


def _check_npu_variants(request: BundleRequest) -> None:
    towers = request.towers
    taken: dict[tuple[Tower, TargetName, str], Artifact] = {}
    for artifact in request.npu:
        manifest = artifact.manifest
        plain = towers[manifest.tower]
        _check_maker(artifact)
        if manifest.target not in QNN_TARGETS:
            raise BundleError(
                f"{artifact.label} is not for an NPU",
                fix=f"give it to --{manifest.tower}; --npu takes the targets {', '.join(QNN_TARGETS)}",
            )
        for each in towers.values():
            if each.manifest.target not in _FALLBACKS:
                raise BundleError(
                    f"{each.label} cannot stand in for {artifact.label} on Android phones with another chip",
                    fix=f"bundle an artefact for the CPU, of target {', '.join(_FALLBACKS)}",
                )
        _check_artifact(artifact, allow_failed=request.allow_failed)
        _check_trained(artifact, allow_untrained=request.allow_untrained)
        _check_one_model(plain, artifact)
        for context in read_report(artifact.folder).contexts:
            other = taken.setdefault((manifest.tower, manifest.target, context.soc), artifact)
            if other is not artifact:
                raise BundleError(
                    f"{other.label} and {artifact.label} are both for {context.soc}", fix="give one of them to --npu"
                )


def _check_coreai_variants(request: BundleRequest) -> None:
    if request.coreai and not request.specializations:
        raise BundleError("there is no specialisation to run a Core AI asset with", fix="give at least one")
    taken: dict[Tower, Artifact] = {}
    for artifact in request.coreai:
        tower = artifact.manifest.tower
        if artifact.manifest.target is not TargetName.COREAI:
            raise BundleError(
                f"{artifact.label} is no Core AI asset",
                fix=f"give it to --{tower}; --coreai takes the target {TargetName.COREAI}",
            )
        for each in request.towers.values():
            if each.manifest.target is not TargetName.COREML:
                raise BundleError(
                    f"{each.label} cannot stand in for {artifact.label} on iPhones with an iOS before 27",
                    fix=f"bundle an artefact of target {TargetName.COREML}, or --image and --text of target "
                    f"{TargetName.COREAI} alone, without --coreai, for iOS 27",
                )
        _check_artifact(artifact, allow_failed=request.allow_failed)
        _check_trained(artifact, allow_untrained=request.allow_untrained)
        _check_one_model(request.towers[tower], artifact)
        other = taken.setdefault(tower, artifact)
        if other is not artifact:
            raise BundleError(
                f"{other.label} and {artifact.label} are both for the {tower} tower", fix="give one of them to --coreai"
            )


def _check_maker(artifact: Artifact) -> None:
    if artifact.manifest.target in MAKER_TARGETS:
        raise BundleError(
            f"{artifact.label} cannot be bundled: the apps do not run what is compiled for its maker's NPUs",
            fix="bundle an artefact for the CPU, e.g. of target tflite",
        )


def _check_trained(artifact: Artifact, *, allow_untrained: bool) -> None:
    if artifact.manifest.trained is False and not allow_untrained:
        raise BundleError(
            f"{artifact.label} has untrained random weights, so its results are meaningless",
            fix=(
                "export a trained model "
                "(--weights, or a run's folder as --model), or give --allow-untrained to measure only latency"
            ),
        )


def _check_one_model(left: Artifact, right: Artifact) -> None:
    first, second = left.manifest, right.manifest
    for what, one, other in (
        ("weights", first.model.weights_sha256, second.model.weights_sha256),
        ("configurations", first.model.config_sha256, second.model.config_sha256),
        ("embedding dimensions", first.model.embedding_dim, second.model.embedding_dim),
        ("logit scales", first.model.logit_scale, second.model.logit_scale),
    ):
        if one != other:
            raise BundleError(
                f"{left.label} and {right.label} have different {what} ({str(one)[:12]} and {str(other)[:12]})",
                fix="export both from one model" if first.tower is second.tower else "export both towers of one model",
            )
    if first.normalized != second.normalized:
        raise BundleError(
            f"{left.label} and {right.label}: one gives normalised embeddings, the other raw ones",
            fix="export both with --raw or both without",
        )


def _check_artifact(artifact: Artifact, *, allow_failed: bool) -> None:
    manifest = artifact.manifest
    if manifest.batch > 1:
        raise BundleError(
            f"{artifact.label} takes {manifest.batch} photographs at once, apps give it one",
            fix="export it without --batch",
        )
    lacking = manifest.preprocess is None if manifest.tower is Tower.IMAGE else manifest.tokenizer is None
    if lacking or len(manifest.inputs) != 1 or len(manifest.outputs) != 1:
        raise BundleError(
            (
                f"the manifest of {artifact.folder} does not describe its tower's input (one input, one output, "
                "preprocessing or tokenizer)"
            ),
            fix="export it again",
        )
    layout = manifest.inputs[0].layout
    if layout not in _LAYOUTS[manifest.tower]:
        raise BundleError(
            f"{artifact.label} takes its input in layout {layout}; bundles know {', '.join(_LAYOUTS[manifest.tower])}"
        )
    if manifest.preprocess is not None:
        check_image_input(manifest.preprocess, manifest.inputs[0])
    for tensor in (manifest.golden.inputs, manifest.golden.reference, manifest.golden.outputs):
        # Refused here where a value is not finite, before anything is run.
        artifact.golden(tensor)
    if allow_failed:
        return
    if manifest.parity is None:
        raise BundleError(
            f"{artifact.label} was never compared with PyTorch", fix="export it again, or give --allow-failed"
        )
    if not manifest.parity.passed:
        raise BundleError(
            f"{artifact.label} missed its parity budget ({'; '.join(manifest.parity.failures)})",
            fix="choose another precision, or give --allow-failed",
        )
