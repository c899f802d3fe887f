"""What may vary in a study: a TOML file, read strictly into frozen dataclasses.

version = 1
model = "pocketclip_nano"
targets = ["tflite"]
precisions = ["fp32", "int8-static", {precision = "int8-static", keep_float = "stem,projection"}]
threads = [1]

[factors.kernels]                     # one value for all paths; * stands for every place of a list
paths = ["image.stages.*.ffn_kernel"]
values = [7, 5]

[factors.gates.options]               # or named sets of changes
base = {}
none = {"image.expansion_squeeze_excite" = false}
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Le, MaxLen, MinLen

from pocketclip.benchmark.errors import SpaceError
from pocketclip.export.precision import Precision, TargetName
from pocketclip.models import documents
from pocketclip.models.documents import document
from pocketclip.models.errors import choices, first_line
from pocketclip.models.untrusted.files import read_bounded
from pocketclip.models.untrusted.names import Matching, PlainName
from pocketclip.models.untrusted.printable import printable_line

SPACE_VERSION = 1
_SPACES = Path(__file__).parent / "spaces"
_MOST_BYTES = 1 << 18
# What a trial has beside its factors; a factor of that name would hide it.
TARGET, PRECISION, THREADS = "target", "precision", "threads"
_RESERVED = (TARGET, PRECISION, THREADS)

_PART = r"(?:[A-Za-z_][A-Za-z0-9_]*|\d{1,4}|\*)"
ChangePath = Annotated[
    str, Matching(rf"{_PART}(?:\.{_PART})*", 200, "a dotted path such as image.stages.3.mixer, where * is every place")
]
Modules = Annotated[str, Matching(r"[A-Za-z0-9_.*,-]+", 500, "names of modules with commas between them")]
Drop = Annotated[str, Matching(r"(?:cosine|accuracy)=[0-9.]+", 40, "a limit such as cosine=0.999")]
Reference = Annotated[
    str, Matching(r"[A-Za-z0-9_./:+=-]+", 200, "a model: its name, a run's folder or a configuration file")
]
Word = Annotated[str, Matching(r"[A-Za-z0-9_./+-]+", 200, "a word of letters, digits and _ . / + -")]
# A scalar, or a list of them such as the text tower's blocks.
Value = Word | int | float | bool | None | list[Word] | list[int]
Changes = dict[ChangePath, Value]


@document
class PrecisionPlan:
    """A precision, and which modules keep a higher one: named ones, or as many as a limit asks for."""

    precision: Precision
    keep_float: Modules | None = None
    keep_int16: Modules | None = None
    max_drop: Drop | None = None

    def __post_init__(self) -> None:
        given = [each for each in (self.keep_float, self.keep_int16, self.max_drop) if each is not None]
        if len(given) > 1:
            raise SpaceError("keep_float, keep_int16 and max_drop each choose modules", fix="give one of them")
        if given and not self.precision.quantized:
            raise SpaceError(f"{self.precision} rounds no weights, so that no module can keep a higher precision")

    @property
    def label(self) -> str:
        """The plan in tables and parameters, e.g. `int8-static float:stem`."""
        kept = {"float": self.keep_float, "int16": self.keep_int16, "": self.max_drop}
        return " ".join([str(self.precision), *(f"{how}:{what}".lstrip(":") for how, what in kept.items() if what)])


@document
class Factor:
    """One thing that varies: `values` for all `paths` alike, or named `options`, each a set of changes."""

    paths: Annotated[tuple[ChangePath, ...], MaxLen(64)] = ()
    values: Annotated[tuple[Value, ...], MaxLen(64)] = ()
    options: Annotated[dict[PlainName, Changes], MaxLen(64)] | None = None

    def __post_init__(self) -> None:
        if self.options is not None and (self.paths or self.values):
            raise SpaceError("a factor has either paths and values, or options")
        if self.options is None and not (self.paths and self.values):
            raise SpaceError("a factor needs paths and values, or options", fix="give it at least one of each")
        if not self.levels:
            raise SpaceError("a factor without options leaves nothing to choose", fix="name one, or remove the factor")
        if len(self.levels) < len(self.values):
            raise SpaceError(f"a value is listed twice: {choices(map(_word, self.values))}", fix="keep one of them")

    @property
    def levels(self) -> dict[str, Changes]:
        """The changes of each level, by the name that trials and tables give it."""
        if self.options is not None:
            return self.options
        return {_word(value): dict.fromkeys(self.paths, value) for value in self.values}

    @property
    def changed_paths(self) -> frozenset[str]:
        """All paths that some level changes."""
        return frozenset(path for changes in self.levels.values() for path in changes)


@document
class Space:
    """All that may vary. Its points are the products of one level of each factor, target, precision and threads."""

    version: Literal[1]
    model: Reference
    targets: Annotated[tuple[TargetName, ...], MinLen(1), MaxLen(len(TargetName))]
    precisions: Annotated[tuple[Precision | PrecisionPlan, ...], MinLen(1), MaxLen(64)]
    threads: Annotated[tuple[Annotated[int, Ge(1), Le(1024)], ...], MinLen(1), MaxLen(16)] = (1,)
    factors: Annotated[dict[PlainName, Factor], MaxLen(32)] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, listed in (("targets", self.targets), ("precisions", self.labels), ("threads", self.threads)):
            if len(set(listed)) < len(listed):
                raise SpaceError(f"{name} lists something twice: {choices(listed)}", fix="keep one of each")
        if taken := [name for name in self.factors if name in _RESERVED]:
            raise SpaceError(f"a factor cannot be called {taken[0]!r}", fix="choose another name")
        self._check_paths()

    def _check_paths(self) -> None:
        """Two factors that change one value contradict each other: the later one would win unseen."""
        owners: list[tuple[str, str]] = []
        for name, factor in self.factors.items():
            for path in sorted(factor.changed_paths):
                for other, owner in owners:
                    if owner != name and _overlap(path, other):
                        raise SpaceError(
                            f"factors {owner} and {name} both change {path}"
                            + ("" if path == other else f" ({other} holds it)"),
                            fix="make one factor of them, with named options",
                        )
                owners.append((path, name))

    @property
    def plans(self) -> dict[str, PrecisionPlan]:
        """The precision plans by label, in the order of the file."""
        plans = [each if isinstance(each, PrecisionPlan) else PrecisionPlan(each) for each in self.precisions]
        return {plan.label: plan for plan in plans}

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the precision plans, one for each entry of the file."""
        return tuple(each.label if isinstance(each, PrecisionPlan) else str(each) for each in self.precisions)

    @property
    def levels(self) -> dict[str, tuple[str, ...]]:
        """What each parameter of a trial may be, by its name: the factors, then target, precision and threads."""
        return {
            **{name: tuple(factor.levels) for name, factor in self.factors.items()},
            TARGET: tuple(map(str, self.targets)),
            PRECISION: self.labels,
            THREADS: tuple(map(str, self.threads)),
        }

    @property
    def size(self) -> int:
        """How many combinations there are, those that cannot be included."""
        return math.prod(len(levels) for levels in self.levels.values())

    @property
    def sha256(self) -> str:
        """Identifies the space by all that it says."""
        text = json.dumps(documents.to_builtin(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def shipped_spaces() -> dict[str, Path]:
    """The spaces that come with PocketCLIP, by the name of their model."""
    return {path.stem: path for path in sorted(_SPACES.glob("*.toml"))}


def read_space(reference: str | Path) -> Space:
    """The space in a TOML file, or the shipped one of a model.

    Args:
        reference: the path of a file that ends with `.toml`, or the name of a model.

    Raises:
        SpaceError: there is none, or it is malformed, empty or contradicts itself; the message names the place.
    """
    shipped = shipped_spaces()
    if not str(reference).endswith(".toml"):
        if str(reference) not in shipped:
            raise SpaceError(
                f"there is no space for {str(reference)!r}",
                fix=f"write one in a file that ends with .toml, or choose among: {choices(shipped)}",
            )
        path = shipped[str(reference)]
    else:
        path = Path(reference)
    content = read_bounded(path, _MOST_BYTES, error=SpaceError)
    return parse_space(content, source=str(path))


def parse_space(content: bytes, *, source: str) -> Space:
    """A space from the bytes of a TOML file; `source` says in messages where they came from.

    Raises:
        SpaceError: as `read_space`.
    """
    where = printable_line(source)
    try:
        read = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SpaceError(f"{where} is not TOML: {first_line(error)}") from error
    version = read.get("version")
    if isinstance(version, int) and not isinstance(version, bool) and version > SPACE_VERSION:
        raise SpaceError(f"{where} has version {version}; at most {SPACE_VERSION} is read", fix="update PocketCLIP")
    try:
        # TOML's dates have no counterpart in JSON, and no key of ours takes one.
        text = json.dumps(read)
    except (TypeError, ValueError, RecursionError) as error:
        raise SpaceError(f"{where} cannot be read: {first_line(error)}") from error
    return documents.parse(Space, text, source=where, error=SpaceError)


def _word(value: Value) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _overlap(path: str, other: str) -> bool:
    """Whether one path is the other or holds it; `*` is every place."""
    return all(a == b or "*" in (a, b) for a, b in zip(path.split("."), other.split("."), strict=False))
