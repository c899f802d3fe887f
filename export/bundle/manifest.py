"""A bundle's manifest: both towers, how to feed them, label embeddings, and golden data for a self-test.

A bundle is a folder with `bundle.json` and the files that it lists. Tensors are raw little-endian values in C order:
an application needs a JSON parser and nothing else. `docs/bundles.md` explains the format field by field;
`export/schemas/` has it as JSON Schema.

Schema history:
  1: first version.
  2: `variants`: what runs in a tower's place on phones with a chip. Only bundles that have some are of version 2.
  3: `variants` of another kind: what runs in a tower's place on newer systems. Only bundles that have some are of it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen

from pocketclip.export.artifact.manifest import FileEntry, ModelIdentity, TensorSpec, hash_files
from pocketclip.export.npu.npu_report import SdkVersion, SocName
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.models.documents import document
from pocketclip.models.pixels.preprocess import PreprocessSpec
from pocketclip.models.text.vocabulary import FULL_VOCABULARY_SIZE
from pocketclip.models.untrusted.names import Matching, RelativePath, Sha256
from pocketclip.models.untrusted.numbers import MOST_DIMENSION, Cosine, Count, Shape, Share

PLAIN_SCHEMA_VERSION = 1
NPU_SCHEMA_VERSION = 2
SYSTEM_SCHEMA_VERSION = 3
# The newest that is read.
BUNDLE_SCHEMA_VERSION = SYSTEM_SCHEMA_VERSION
# Far more than there are chips, towers and runtimes.
MOST_VARIANTS = 256

# Alternatives of characters, classes and categories, of which the last may repeat: such a pattern has no groups, always
# finds something, never goes back over text, and means the same in Python, Java and ICU.
_CATEGORY = r"\\[pP]\{[CLMNPSZ][a-z]?\}|\\[sS]"
_ATOM = rf"(?:[^\\\[\](){{}}|*+?^$.]|{_CATEGORY}|\[\^?(?:[^\\\[\]^&~|-]|{_CATEGORY})+\])"
SPLITTING = Matching(
    rf"{_ATOM}+\+?(?:\|{_ATOM}+\+?)*",
    1000,
    "alternatives of characters, classes and categories, of which the last one may be followed by +",
)

TokenId = Annotated[int, Ge(0), Lt(FULL_VOCABULARY_SIZE)]


class ElementType(StrEnum):
    """The type of a stored tensor's values."""

    UINT8 = "uint8"
    UINT16 = "uint16"
    INT32 = "int32"
    FLOAT32 = "float32"


class Cleaning(StrEnum):
    """A step that text goes through before it is split, in the order of `BundleTokenizerSpec.cleaning`.

    `ftfy`: what ftfy's `fix_text` does (repairs mojibake, straightens quotes, composes to NFC). `html-unescape`:
    character references become characters. `collapse-whitespace`: each run of whitespace becomes one space, none is
    left at the ends. `lower`: lower case by Unicode's rules, of no language in particular.
    """

    FTFY = "ftfy"
    HTML_UNESCAPE = "html-unescape"
    COLLAPSE_WHITESPACE = "collapse-whitespace"
    LOWER = "lower"


class Articles(StrEnum):
    """What happens to a filled template: nothing, or `a ` before one of `aeiou` becomes `an `."""

    AS_WRITTEN = "as-written"
    ENGLISH = "english"


@document
class StoredTensor:
    """A file of raw little-endian values in C order, of exactly this shape."""

    file: RelativePath
    shape: Shape
    dtype: ElementType


@document
class Execution:
    """What computed golden outputs: the runtime with its version, the processor's architecture and extensions."""

    runtime: str
    machine: str
    features: tuple[str, ...]


@document
class Tolerance:
    """The least cosine and the largest error of a component, between embeddings of length 1."""

    cosine_min: Share
    max_abs: Annotated[float, Gt(0.0), Le(2.0)]


@document
class TowerTolerances:
    """How far a self-test's outputs may be from the golden ones.

    `same`: from `outputs`, where runtime, version and processor are those of `Execution`. `other`: anywhere else; two
    runs that each keep the parity budget are no further apart. `reference`: from PyTorch, the parity budget itself;
    None where the artefact missed it and was bundled all the same.
    """

    same: Tolerance
    other: Tolerance
    reference: Tolerance | None


@document
class ParitySummary:
    """How the tower compared with PyTorch when it was exported; `failures` words every budget that was missed."""

    samples: Count
    cosine_mean: Cosine
    cosine_min: Cosine
    top1_agreement: Share
    failures: tuple[str, ...]


@document
class TowerGolden:
    """Inputs as the tower's file takes them, PyTorch's fp32 outputs, and what the file gave when it was exported."""

    inputs: StoredTensor
    reference: StoredTensor
    outputs: StoredTensor


@document
class BundledModel:
    """A tower's model file (or package folder), what runs it, what it takes and gives.

    `runtime` is `onnxruntime`, `coreml`, `coreai`, `executorch` or `litert`; `requires` words its oldest version or the
    oldest system, `minimum_ios` is that system's number where it is iOS. `normalized` says whether embeddings come out
    with length 1; otherwise the host divides by it. `artifact_sha256` is the identity of the artefact it comes from.
    """

    target: TargetName
    precision: Precision
    runtime: str
    requires: str | None
    minimum_ios: Annotated[int, Ge(1), Le(1000)] | None
    entry_point: RelativePath
    input: TensorSpec
    output: TensorSpec
    normalized: bool
    versions: dict[str, str]
    artifact_sha256: Sha256
    parity: ParitySummary | None
    executed_by: Execution
    tolerances: TowerTolerances
    golden: TowerGolden

    @property
    def place(self) -> str:
        """The folder in the bundle that holds its files alone."""
        return self.entry_point.partition("/")[0]


@document
class BundledTower(BundledModel):
    """One tower; `scheme` is its target and precision with what differs from the usual form, as in records."""

    scheme: str = ""


@document
class NpuVariant(BundledModel):
    """What runs in a tower's place on phones with one chip: a graph prepared for the chip's NPU.

    `soc` is the chip's name, as phones say it; `sdk` the version of Qualcomm's libraries that prepared the graph: older
    ones on a phone refuse it. `graphs` counts the pieces on the NPU, `on_cpu` the ops left to the processor.
    """

    scheme: str
    tower: Tower
    soc: SocName
    sdk: SdkVersion
    graphs: Count
    on_cpu: Count


class Specialization(StrEnum):
    """How Core AI makes an asset ready for a device.

    `default` takes the units of which Core AI expects the shortest latency, `cpu-only` the processor alone; the others
    prefer a unit, and what it does not take runs elsewhere, or the asset does not load. No call of Apple's tells where
    a function ran.
    """

    DEFAULT = "default"
    PREFER_GPU = "prefer-gpu"
    PREFER_NPU = "prefer-npu"
    CPU_ONLY = "cpu-only"


@document
class SystemVariant(BundledModel):
    """What runs in a tower's place on systems that have another runtime, from `minimum_ios` on: a Core AI asset.

    `specializations` are those that an app may run it with, the preferred ones first.
    """

    scheme: str
    tower: Tower
    specializations: Annotated[tuple[Specialization, ...], MinLen(1), MaxLen(len(Specialization))]


Variant = NpuVariant | SystemVariant


@document
class SpecialText:
    """Text that is one token of CLIP's vocabulary by itself."""

    text: Annotated[str, MinLen(1)]
    id: TokenId


@document
class BundleTokenizerSpec:
    """The CLIP byte-pair tokenizer as numbers.

    Ids below 256 are bytes, `byte_order[id]`; 256 more are the same bytes at the end of a word; id 512 + r is made by
    the merge of rank r from the two ids in row r of `merges`; the last two are start and end. `kept_ids` lists CLIP's
    ids that a pruned vocabulary keeps, ascending: the new id is the place in it, and a dropped id is replaced by the
    two of its merge. None keeps all. `start_id`, `end_id` and `pad_id` are ids of the vocabulary that is used;
    `special_texts` has CLIP's own.
    """

    context_length: Annotated[int, Ge(3), Le(MOST_DIMENSION)]
    vocabulary_size: Annotated[int, Ge(3), Le(FULL_VOCABULARY_SIZE)]
    start_id: TokenId
    end_id: TokenId
    pad_id: TokenId
    cleaning: Annotated[tuple[Cleaning, ...], MaxLen(16)]
    pattern: Annotated[str, SPLITTING]
    special_texts: Annotated[tuple[SpecialText, ...], MaxLen(64)]
    byte_order: tuple[Annotated[int, Ge(0), Le(255)], ...]
    merges: StoredTensor
    kept_ids: StoredTensor | None


@document
class PromptTemplates:
    """Sentences in which `{}` stands for a label; a label's embedding is the normalised mean over all of them."""

    name: str
    texts: tuple[str, ...]
    articles: Articles


@document
class LabelSet:
    """Labels with their text embeddings (K, D), normalised, computed by the bundle's text tower."""

    names: tuple[str, ...]
    embeddings: StoredTensor


@document
class GoldenRanking:
    """The best labels of an image, the first one first: places in the label list, cosines, and their probabilities."""

    places: tuple[Count, ...]
    cosines: tuple[Cosine, ...]
    probabilities: tuple[Share, ...]


@document
class GoldenImage:
    """An image from pixels to labels: packed 8-bit RGB (H, W, 3), and what it shows; `EndToEnd` has what is between."""

    name: str
    pixels: StoredTensor
    ranking: GoldenRanking | None


@document
class EndToEnd:
    """Golden data of the whole way, embeddings normalised by the host where the file does not do it.

    `preprocessed` (N, ...) and `image_embeddings` (N, D) have a row for each of `images`; `token_ids` (M, T) and
    `sentence_embeddings` (M, D) for each of `sentences`. `pixel_tolerance` bounds the preprocessing error in steps of
    8-bit values.
    """

    images: tuple[GoldenImage, ...]
    preprocessed: StoredTensor
    image_embeddings: StoredTensor
    sentences: tuple[str, ...]
    token_ids: StoredTensor
    sentence_embeddings: StoredTensor
    pixel_tolerance: Annotated[float, Ge(0.0), Le(255.0)]


@document
class LicenceNote:
    """What a part of the bundle may be used under: an SPDX identifier where there is one, or `unknown`, and why."""

    part: str
    licence: str
    copyright: str | None
    source: str


@document
class Bundle:
    """Everything an application must know about a bundle (schema 1): both towers run on every phone."""

    schema_version: int
    created_at: str
    generator: str
    model: ModelIdentity
    image: BundledTower
    text: BundledTower
    preprocess: PreprocessSpec
    tokenizer: BundleTokenizerSpec
    templates: PromptTemplates
    labels: LabelSet | None
    end_to_end: EndToEnd
    licences: tuple[LicenceNote, ...]
    files: tuple[FileEntry, ...]

    @property
    def sha256(self) -> str:
        """One hash over all files, the bundle's identity in reports."""
        return hash_files(self.files)

    def variants_of(self, tower: Tower) -> tuple[Variant, ...]:
        """What runs in a tower's place on phones with certain chips or systems, the preferred ones first."""
        return ()

    @property
    def models(self) -> tuple[BundledModel, ...]:
        """Everything that can run: both towers, then their variants."""
        return (self.image, self.text, *self.variants_of(Tower.IMAGE), *self.variants_of(Tower.TEXT))

    @property
    def tensors(self) -> tuple[StoredTensor, ...]:
        """Every stored tensor; chips share those of their variants."""
        found: list[StoredTensor | None] = []
        for model in self.models:
            found += [model.golden.inputs, model.golden.reference, model.golden.outputs]
        found += [self.tokenizer.merges, self.tokenizer.kept_ids]
        found.append(None if self.labels is None else self.labels.embeddings)
        found += [image.pixels for image in self.end_to_end.images]
        end = self.end_to_end
        found += [end.preprocessed, end.image_embeddings, end.token_ids, end.sentence_embeddings]
        return tuple(dict.fromkeys(tensor for tensor in found if tensor is not None))


@document
class NpuBundle(Bundle):
    """A bundle whose towers have variants for the NPUs of chips (schema 2); on all other phones the towers run."""

    variants: Annotated[tuple[NpuVariant, ...], MinLen(1), MaxLen(MOST_VARIANTS)]

    def variants_of(self, tower: Tower) -> tuple[NpuVariant, ...]:
        """Those of a tower, in their order."""
        return tuple(variant for variant in self.variants if variant.tower is tower)


@document
class SystemBundle(Bundle):
    """A bundle whose towers have variants for newer systems (schema 3); on all others the towers run."""

    variants: Annotated[tuple[SystemVariant, ...], MinLen(1), MaxLen(len(Tower))]

    def variants_of(self, tower: Tower) -> tuple[SystemVariant, ...]:
        """Those of a tower, in their order."""
        return tuple(variant for variant in self.variants if variant.tower is tower)
