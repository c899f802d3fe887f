"""The base and its modifications, one factor at a time, and combinations of those that paid."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from pocketclip.benchmark.errors import OptionError
from pocketclip.export.precision import Precision, Tower
from pocketclip.models.errors import choices

# Tokens that occur at least fifty times in the captions of training; the base has those of ten times.
SMALL_VOCABULARY = "pictures_frequent"


class Size(StrEnum):
    """Which base: the small one is trained, of the full one only latency and counts are measured."""

    NANO = "nano"
    S0 = "s0"


MODELS = {Size.NANO: "pocketclip_nano", Size.S0: "mobileclip_s0"}
# What every variant is judged and measured in.
PRECISIONS = (Precision.FP32, Precision.INT8_STATIC)


@dataclass(frozen=True)
class Variant:
    """A modification of the base.

    Attributes:
        name: in tables, file names and options.
        factor: what it changes, for the page.
        towers: those whose artefacts differ from the base's.
        nano: changes by dotted path for the small base.
        s0: the same modification of MobileCLIP-S0; None where it has none.
    """

    name: str
    factor: str
    towers: tuple[Tower, ...]
    nano: tuple[str, ...]
    s0: tuple[str, ...] | None = None

    def changes(self, size: Size) -> tuple[str, ...]:
        """The changes of a base.

        Raises:
            OptionError: the modification does not exist for that base.
        """
        if size is Size.NANO:
            return self.nano
        if self.s0 is None:
            raise OptionError(f"the modification {self.name} does not exist for MobileCLIP-S0")
        return self.s0


_IMAGE, _TEXT = (Tower.IMAGE,), (Tower.TEXT,)
_STAGES = range(4)


def _kernels(size: int) -> tuple[str, ...]:
    """Depthwise kernels of feed-forward parts, down-samplers and positions; the first stage has no down-sampler."""
    return (
        *(f"image.stages.{stage}.ffn_kernel={size}" for stage in _STAGES),
        *(f"image.stages.{stage}.downsample_kernel={size}" for stage in _STAGES[1:]),
        f"image.position_kernel={size}",
    )


def _widths(*widths: int) -> tuple[str, ...]:
    return tuple(f"image.stages.{stage}.width={width}" for stage, width in enumerate(widths))


_NO_GATES = (
    "image.stages.2.downsample_squeeze_excite=false",
    "image.stages.3.downsample_squeeze_excite=false",
    "image.expansion_squeeze_excite=false",
)
_POOLED = ("image.stages.0.mixer=pooling", "image.stages.1.mixer=pooling")
_REPMIXER = ("image.stages.3.mixer=repmixer",)
_RELU = ("image.activation=relu",)

BASE = Variant("base", "none", (Tower.IMAGE, Tower.TEXT), (), ())

VARIANTS: tuple[Variant, ...] = (
    BASE,
    Variant("repmixer-last-stage", "mixer", _IMAGE, _REPMIXER, _REPMIXER),
    Variant(
        "attention-third-stage",
        "mixer",
        _IMAGE,
        ("image.stages.2.mixer=attention",),
        ("image.stages.2.mixer=attention",),
    ),
    Variant("pooling-first-stages", "mixer", _IMAGE, _POOLED, _POOLED),
    Variant("kernels-5", "depthwise kernels", _IMAGE, _kernels(5), _kernels(5)),
    Variant("kernels-3", "depthwise kernels", _IMAGE, _kernels(3), _kernels(3)),
    Variant("no-squeeze-excite", "channel gates", _IMAGE, _NO_GATES, _NO_GATES),
    Variant("relu", "activation", _IMAGE, _RELU, _RELU),
    Variant("hardswish", "activation", _IMAGE, ("image.activation=hardswish",), ("image.activation=hardswish",)),
    Variant("narrow", "widths", _IMAGE, _widths(24, 48, 96, 192), _widths(48, 96, 192, 384)),
    Variant(
        "shallow",
        "depths",
        _IMAGE,
        ("image.stages.1.depth=1", "image.stages.2.depth=1"),
        ("image.stages.1.depth=3", "image.stages.2.depth=5"),
    ),
    Variant("larger-image", "resolution", _IMAGE, ("preprocess.image_size=96",), ("preprocess.image_size=320",)),
    Variant("narrow-text", "text width", _TEXT, ("text.width=96",), ("text.width=384",)),
    Variant("low-rank-embedding", "embedding", _TEXT, ("text.embedding_rank=32",), ("text.embedding_rank=64",)),
    Variant("frequent-words", "vocabulary", _TEXT, (f"tokenizer.vocabulary={SMALL_VOCABULARY}",), None),
    Variant("short-context", "context", _TEXT, ("tokenizer.context_length=16",), ("tokenizer.context_length=32",)),
    Variant("relu-kernels-3", "combination", _IMAGE, (*_RELU, *_kernels(3)), (*_RELU, *_kernels(3))),
    Variant(
        "relu-kernels-3-no-squeeze-excite",
        "combination",
        _IMAGE,
        (*_RELU, *_kernels(3), *_NO_GATES),
        (*_RELU, *_kernels(3), *_NO_GATES),
    ),
    Variant("repmixer-kernels-3", "combination", _IMAGE, (*_REPMIXER, *_kernels(3)), (*_REPMIXER, *_kernels(3))),
)


def choose_variants(names: Iterable[str], size: Size) -> tuple[Variant, ...]:
    """The base and the variants of these names, in the table's order; all that the size has where none is named.

    Raises:
        OptionError: there is no variant of a name, or not for this size.
    """
    wanted = set(names)
    known = {variant.name for variant in VARIANTS}
    if unknown := sorted(wanted - known):
        raise OptionError(f"there is no modification {unknown[0]!r}", fix=f"choose among: {choices(sorted(known))}")
    if not wanted:
        return tuple(variant for variant in VARIANTS if size is Size.NANO or variant.s0 is not None)
    chosen = tuple(variant for variant in VARIANTS if variant is BASE or variant.name in wanted)
    for variant in chosen:
        variant.changes(size)
    return chosen
