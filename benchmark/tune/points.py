"""The points of a space: which there are, what each one is, and why some cannot be.

Nothing is exported or trained to find out: a target's table says which precisions it lacks, and a configuration that
makes no model is refused when it is read.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pocketclip.benchmark.errors import SpaceError, StudyError
from pocketclip.benchmark.tune.space import PRECISION, TARGET, THREADS, Changes, PrecisionPlan, Space
from pocketclip.export.precision import TargetName
from pocketclip.models import documents
from pocketclip.models.config import AnyConfig
from pocketclip.models.errors import ConfigError, PocketClipError, choices
from pocketclip.models.modifications import modify
from pocketclip.models.registry import resolve_config

if TYPE_CHECKING:
    from random import Random

    from pocketclip.benchmark.devices import Device

# Spaces of more combinations are counted and searched by samples.
MOST_ENUMERATED = 20_000


@dataclass(frozen=True)
class Point:
    """One combination: a level of each parameter, in the order of `Space.levels`."""

    levels: tuple[str, ...]


Scheme = tuple[TargetName, str]
"""A target and the label of a precision plan."""


@dataclass(frozen=True)
class SearchSpace:
    """A space with its base model, and the schemes that cannot be, each with its reason."""

    space: Space
    base: AnyConfig
    refused_schemes: Mapping[Scheme, str]
    _configs: dict[tuple[str, ...], AnyConfig | str] = field(default_factory=dict, repr=False, compare=False)
    _features: dict[tuple[str, ...], tuple[float, ...]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters of a point, in their order."""
        return tuple(self.space.levels)

    def params(self, point: Point) -> dict[str, str]:
        """The levels of a point by parameter."""
        return dict(zip(self.names, point.levels, strict=True))

    def point(self, params: Mapping[str, str]) -> Point:
        """The point of these levels.

        Raises:
            StudyError: a parameter is missing or unknown, or has no such level.
        """
        levels = self.space.levels
        for name in (*levels, *params):
            if name not in levels or params.get(name) not in levels[name]:
                allowed = choices(levels.get(name, ()))
                raise StudyError(f"the space has no {name}={params.get(name)!r}", fix=f"choose among: {allowed}")
        return Point(tuple(params[name] for name in levels))

    def scheme(self, point: Point) -> Scheme:
        """How the point is exported."""
        params = self.params(point)
        return TargetName(params[TARGET]), params[PRECISION]

    def plan(self, point: Point) -> PrecisionPlan:
        """The precision plan of the point."""
        return self.space.plans[self.params(point)[PRECISION]]

    def threads(self, point: Point) -> int:
        """How many threads measure the point."""
        return int(self.params(point)[THREADS])

    def changes(self, point: Point) -> dict[str, Any]:
        """What the point changes of the base model: dotted paths and values, without those that it has already."""
        return self._changes(self._of_model(point))

    def config(self, point: Point) -> AnyConfig:
        """The point's model.

        Raises:
            ConfigError: it makes none; `refusal` says so beforehand.
        """
        found = self._config(self._of_model(point))
        if isinstance(found, str):
            raise ConfigError(found)
        return found

    def model_key(self, point: Point) -> str:
        """The same for points of the same model, whatever they are called."""
        return replace(self.config(point), name="", description="").sha256

    def features(self, point: Point) -> tuple[float, ...]:
        """What is known of the point's model before it is measured: logarithms of the operations of the image and of
        the text tower, and of the parameters of both. They are counted once for each model, which takes a moment."""
        from pocketclip.models.complexity import measure

        levels = self._of_model(point)
        if levels not in self._features:
            counted = measure(self.config(point))
            parameters = counted.image.parameters + counted.text.parameters
            figures = (counted.image.flops, counted.text.flops, parameters)
            self._features[levels] = tuple(math.log(max(1, figure)) for figure in figures)
        return self._features[levels]

    @property
    def models(self) -> int:
        """How many combinations of factors there are, those that make no model included."""
        return math.prod(len(factor.levels) for factor in self.space.factors.values())

    def model_levels(self, point: Point) -> tuple[str, ...]:
        """The part of the point that says what its model is."""
        return self._of_model(point)

    def is_base(self, point: Point) -> bool:
        """Whether the point's model is the unchanged base."""
        return not self.changes(point)

    def refusal(self, point: Point) -> str | None:
        """Why the point cannot be; None where it can."""
        reason = self.refused_schemes.get(self.scheme(point))
        if reason is not None:
            return reason
        found = self._config(self._of_model(point))
        return found if isinstance(found, str) else None

    def base_points(self) -> list[Point]:
        """The unchanged base in every scheme that can be, with the first number of threads."""
        unchanged = [_unchanged(name, levels, self) for name, levels in self._factors()]
        return [
            Point((*unchanged, str(target), label, str(self.space.threads[0])))
            for target in self.space.targets
            for label in self.space.labels
            if (target, label) not in self.refused_schemes
        ]

    def points(self) -> Iterator[Point]:
        """All points that can be, in the order of the file; the last parameters change fastest."""
        for levels in itertools.product(*self.space.levels.values()):
            point = Point(levels)
            if self.refusal(point) is None:
                yield point

    def drawn(self, random: Random, count: int) -> list[Point]:
        """So many points that can be, drawn at random, or fewer where the draws do not find them."""
        levels = list(self.space.levels.values())
        found: dict[Point, None] = {}
        for _ in range(20 * count):
            point = Point(tuple(random.choice(each) for each in levels))
            if point not in found and self.refusal(point) is None:
                found[point] = None
                if len(found) == count:
                    break
        return list(found)

    def neighbours(self, point: Point) -> list[Point]:
        """The points that can be and differ in one parameter."""
        near = (
            Point((*point.levels[:place], level, *point.levels[place + 1 :]))
            for place, levels in enumerate(self.space.levels.values())
            for level in levels
            if level != point.levels[place]
        )
        return [each for each in near if self.refusal(each) is None]

    def _factors(self) -> Iterator[tuple[str, dict[str, Changes]]]:
        for name, factor in self.space.factors.items():
            yield name, factor.levels

    def _of_model(self, point: Point) -> tuple[str, ...]:
        return point.levels[: len(self.space.factors)]

    def _changes(self, levels: Sequence[str]) -> dict[str, Any]:
        content = documents.to_builtin(self.base)
        found: dict[str, Any] = {}
        for (_, each), level in zip(self._factors(), levels, strict=True):
            for path, value in each[level].items():
                for place in expand_path(content, path):
                    if _at(content, place) != value:
                        found[place] = value
        return found

    def _config(self, levels: tuple[str, ...]) -> AnyConfig | str:
        if levels not in self._configs:
            try:
                self._configs[levels] = modify(self.base, self._changes(levels))
            except ConfigError as error:
                self._configs[levels] = _without_name(error, self.base.name)
        return self._configs[levels]


def open_space(space: Space, device: Device | None = None) -> SearchSpace:
    """Finds out what of a space can be.

    Args:
        space: what the file says.
        device: what measures; schemes that it cannot time are refused. None asks no device.

    Raises:
        SpaceError: a path does not exist, a factor leaves out the unchanged base, or nothing is left.
        UnknownModelError, ConfigError: there is no such model.
    """
    base = resolve_config(space.model)
    content = documents.to_builtin(base)
    for name, factor in space.factors.items():
        for path in sorted(factor.changed_paths):
            try:
                expand_path(content, path)
            except ConfigError as error:
                raise SpaceError(f"factor {name}: {path}: {error}") from error
    refused = {
        (target, label): reason
        for target in space.targets
        for label, plan in space.plans.items()
        if (reason := _why_refused(space, target, plan, device)) is not None
    }
    found = SearchSpace(space, base, refused)
    for name, levels in found._factors():
        _unchanged(name, levels, found)
    if not found.base_points():
        first = next(iter(refused.values()))
        raise SpaceError(f"the space is empty: none of its targets and precisions can be; the first: {first}")
    return found


def expand_path(content: Any, path: str) -> list[str]:
    """The places that a dotted path means in a configuration; `*` is every place of a list.

    Raises:
        ConfigError: the configuration has no such path.
    """
    found: list[tuple[list[str], Any]] = [([], content)]
    for part in path.split("."):
        deeper: list[tuple[list[str], Any]] = []
        for walked, place in found:
            where = ".".join(walked) or "the configuration"
            if isinstance(place, dict) and part in place:
                deeper.append(([*walked, part], place[part]))
            elif isinstance(place, dict):
                raise ConfigError(f"{where} has no {part!r}; it has: {choices(place)}")
            elif isinstance(place, list) and part == "*":
                deeper += [([*walked, str(index)], each) for index, each in enumerate(place)]
            elif isinstance(place, list) and part.isdigit() and int(part) < len(place):
                deeper.append(([*walked, part], place[int(part)]))
            elif isinstance(place, list):
                raise ConfigError(f"{where} has the indices 0 to {len(place) - 1}, or *, not {part!r}")
            else:
                raise ConfigError(f"{where} is {place!r}, a single value")
        found = deeper
    return [".".join(walked) for walked, _ in found]


def change_words(changes: Mapping[str, Any]) -> tuple[str, ...]:
    """Changes as `--set` takes them."""
    return tuple(
        f"{path}={value if isinstance(value, str) else json.dumps(value)}" for path, value in sorted(changes.items())
    )


def _unchanged(name: str, levels: dict[str, Changes], space: SearchSpace) -> str:
    content = documents.to_builtin(space.base)
    for level, changes in levels.items():
        if all(_at(content, place) == value for path, value in changes.items() for place in expand_path(content, path)):
            return level
    raise SpaceError(
        f"factor {name} has no level that leaves {space.base.name} as it is, so that nothing can be compared with it",
        fix="add its present value, or an empty option: base = {}",
    )


def _at(content: Any, path: str) -> Any:
    for part in path.split("."):
        content = content[int(part) if isinstance(content, list) else part]
    return content


def _why_refused(space: Space, target: TargetName, plan: PrecisionPlan, device: Device | None) -> str | None:
    """Why a scheme cannot be: the same checks that an export makes before it begins, and whether it can be timed."""
    from pocketclip.export.api import ExportOptions
    from pocketclip.export.api.exporting import plan_export
    from pocketclip.models.api import load_model

    options = ExportOptions(keep_float=plan.keep_float, keep_int16=plan.keep_int16, max_drop=plan.max_drop)
    try:
        model = load_model(space.model, fresh_weights=True)
        plan_export(model, target=target, precision=plan.precision, tower="both", out="artifacts", options=options)
    except PocketClipError as error:
        return f"{target} {plan.label}: {error.what}"
    untimed = None if device is None else device.untimed_reason(target)
    return None if untimed is None else f"{target} {plan.label}: cannot be timed: {untimed}"


def _without_name(error: ConfigError, name: str) -> str:
    """A refusal without what differs between points of the same fault."""
    words = error.what
    marker = "is not a valid ModelConfig: "
    return words.partition(marker)[2] or words.replace(name, "the model")
