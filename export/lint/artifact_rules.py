"""Rules about an artefact as a whole: its preprocessing, size, format version and description."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pocketclip.export.artifact.lint_finding import Severity
from pocketclip.export.lint.graph import Format, Graph
from pocketclip.export.lint.runtime_versions import CORE_ML_SPECIFICATIONS, ONNX_RUNTIMES, TFLITE_OF_LITERT, OnnxRuntime
from pocketclip.export.lint.subject import Spot, Subject
from pocketclip.export.precision import APPLE_TARGETS

if TYPE_CHECKING:
    from pocketclip.models.pixels.preprocess import PreprocessSpec

_MODIFIED = re.compile(r"-[0-9a-f]{8}$")
_NUMBER = re.compile(r"\d+(?:\.\d+)*")
_OPEN_CLIP = "open_clip-"


@dataclass(frozen=True)
class SizeLimit:
    """The bytes beyond which a store does something, for apps of these targets; and the page that says so."""

    limit_bytes: int
    consequence: str
    apple: bool
    source: str


_PLAY = "support.google.com/googleplay/android-developer/answer/9859372"
# Decimal megabytes, the stricter reading. Weights hardly compress: a file counts with its whole size.
DOWNLOAD_LIMITS = (
    SizeLimit(
        200_000_000,
        "iOS asks before it loads an app of more than 200 MB over the cellular network",
        True,
        "iPhone settings, App Store, App Downloads: Ask If Over 200 MB",
    ),
    SizeLimit(
        200_000_000,
        "Google Play advises Wi-Fi for downloads of more than 200 MB",
        False,
        "support.google.com/googleplay/android-developer/answer/2481797",
    ),
    SizeLimit(500_000_000, "Google Play takes at most 500 MB in an app's base module", False, _PLAY),
)
STORE_LIMITS = (
    SizeLimit(1_500_000_000, "Google Play takes at most 1.5 GB in an asset pack", False, _PLAY),
    SizeLimit(
        4_000_000_000,
        "the App Store takes apps of less than 4 GB",
        True,
        "developer.apple.com/help/app-store-connect/reference/maximum-build-file-sizes",
    ),
)
_APPLE_TARGETS = frozenset(APPLE_TARGETS)


def wrong_preprocessing(subject: Subject) -> Iterator[Spot]:
    """Against the model of that name: our registry's, or OpenCLIP's for its weights; and what was taken unseen."""
    for caution in subject.cautions:
        yield Spot("weights", caution, Severity.WARNING)
    found = subject.preprocess
    if found is None or subject.model_name is None:
        return
    expected = _expected_preprocess(subject.model_name)
    if expected is None:
        return
    names = ("mean", "std")
    # Another resolution is a change that a user may make; mean and std belong to the weights.
    if not _MODIFIED.search(subject.model_name):
        names = (*names, "image_size", "resize_mode", "interpolation")
    for name in names:
        got, wanted = getattr(found, name), getattr(expected, name)
        if got != wanted:
            yield Spot(f"preprocess.{name}", f"is {got}, {subject.model_name} was trained with {wanted}")


def _expected_preprocess(model_name: str) -> PreprocessSpec | None:
    """None for models of the user's own, which nothing is known about."""
    from pocketclip.models.open_clip_config import PREFIX, open_clip_config
    from pocketclip.models.registry import MODELS, load_config

    name = _MODIFIED.sub("", model_name)
    if name in MODELS:
        return load_config(name).preprocess
    if not name.startswith(_OPEN_CLIP):
        return None
    import open_clip

    # The name is the architecture's, followed by the weights' tag where they have one; both may hold hyphens.
    for architecture, tag in open_clip.list_pretrained():
        if name == f"{_OPEN_CLIP}{architecture}-{tag}":
            return open_clip_config(f"{PREFIX}{architecture}", tag).preprocess
    architecture = name.removeprefix(_OPEN_CLIP)
    known = architecture in open_clip.list_models()
    return open_clip_config(f"{PREFIX}{architecture}").preprocess if known else None


def over_download_limit(subject: Subject) -> Iterator[Spot]:
    yield from _over(subject, DOWNLOAD_LIMITS)


def over_store_limit(subject: Subject) -> Iterator[Spot]:
    yield from _over(subject, STORE_LIMITS)


def _over(subject: Subject, limits: tuple[SizeLimit, ...]) -> Iterator[Spot]:
    if subject.size_bytes is None:
        return
    for limit in limits:
        # What is made for Apple's systems goes to no other store; the other files go to both.
        if subject.size_bytes > limit.limit_bytes and (limit.apple or subject.target not in _APPLE_TARGETS):
            yield Spot("model files", f"{subject.size_bytes / 1e6:.0f} MB: {limit.consequence} ({limit.source})")


def format_too_new(subject: Subject) -> Iterator[Spot]:
    """The version of the file's format against the oldest runtime that shall read it."""
    if subject.graph is None or subject.requires is None:
        return
    number = _NUMBER.search(subject.requires)
    if number is not None:
        yield from _too_new(subject.graph, subject.requires, _version(number[0]))


def _too_new(graph: Graph, requires: str, runtime: tuple[int, ...]) -> Iterator[Spot]:
    stamped = graph.versions
    if graph.format is Format.ONNX:
        row = _onnx_runtime(runtime)
        limits = {"ir": row.ir, "opset ai.onnx": row.opset, "opset ai.onnx.ml": row.opset_ml}
        for name, newest in limits.items():
            if int(stamped.get(name, 0)) > newest:
                yield Spot(name, f"version {stamped[name]}, {requires} reads up to {newest}")
    elif graph.format is Format.COREML:
        newest = CORE_ML_SPECIFICATIONS.get(runtime[0])
        if newest is not None and int(stamped["specification"]) > newest:
            yield Spot("specification", f"version {stamped['specification']}, {requires} reads up to {newest}")
    elif graph.format is Format.TFLITE and "runtime" in stamped:
        # TensorFlow Lite counts as TensorFlow does.
        newest = TFLITE_OF_LITERT if requires.startswith("LiteRT") else runtime
        if _version(stamped["runtime"]) > newest:
            words = ".".join(map(str, newest))
            yield Spot("min_runtime_version", f"is {stamped['runtime']}; {requires} has the ops of TensorFlow {words}")


def _onnx_runtime(version: tuple[int, ...]) -> OnnxRuntime:
    """The newest row that is not newer than the version; the oldest for what is older than all."""
    rows = [row for row in ONNX_RUNTIMES if row.version <= version]
    return max(rows or ONNX_RUNTIMES[-1:], key=lambda row: row.version)


def _version(text: str) -> tuple[int, ...]:
    # Of a file from outside: nobody counts to a thousand million.
    return tuple(int(part[:9]) for part in text.split(".") if part.isascii() and part.isdigit())


def wrong_description(subject: Subject) -> Iterator[Spot]:
    """The manifest's shapes and element types against the file's."""
    if subject.graph is None or subject.manifest is None:
        return
    for kind, described, there in (
        ("input", subject.manifest.inputs, subject.graph.inputs),
        ("output", subject.manifest.outputs, subject.graph.outputs),
    ):
        wanted = [(spec.dtype, tuple(spec.shape)) for spec in described]
        got = [(value.dtype, value.shape) for value in there]
        if wanted != got:
            words = [
                ", ".join(f"{dtype} {'of any shape' if shape is None else list(shape)}" for dtype, shape in side)
                for side in (got, wanted)
            ]
            yield Spot(kind, f"the file has {words[0]}, its manifest says {words[1]}")
