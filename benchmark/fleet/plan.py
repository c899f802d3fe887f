"""What a fleet shall measure: a TOML file, read strictly into frozen dataclasses.

version = 1

[[bench]]
artifacts = ["artifacts/pocketclip_nano"]     # folders of artefacts, or bundles, from the plan's folder on
devices = ["pixel7", "galaxy-s24/*"]          # any unit of a model; NAME/* is every unit, NAME/KEY one
repetitions = 5
threads = [1, 4]
"""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MaxLen, MinLen

from pocketclip.benchmark.errors import FleetPlanError
from pocketclip.benchmark.records.benchmark import DEVICE_DEFAULT, LoadMode
from pocketclip.benchmark.records.fields import Accelerator, Seconds, Tag, Text
from pocketclip.models import documents
from pocketclip.models.documents import document
from pocketclip.models.errors import choices, did_you_mean, first_line
from pocketclip.models.untrusted.files import read_bounded
from pocketclip.models.untrusted.names import Matching
from pocketclip.models.untrusted.printable import printable_line, printable_path

PLAN_VERSION = 1
# All units of a model, each for itself.
EVERY = "*"
MOST_JOBS = 1_000_000
_MOST_BYTES = 1 << 20

Target = Annotated[
    str,
    Matching(
        r"[^\x00-\x1f\x7f-\x9f/]{1,200}(?:/(?:\*|[0-9a-f]{4,64}))?",
        265,
        "a device's name such as pixel7, or with a unit: pixel7/* or pixel7/3fa9c2d1",
    ),
]


@document
class BenchEntry:
    """A product: each artefact on each device, with each number of threads, `repetitions` times.

    The others are `bench`'s options of the same names. Entries of higher `priority` are measured first.
    """

    artifacts: Annotated[tuple[Text, ...], MinLen(1), MaxLen(1000)]
    devices: Annotated[tuple[Target, ...], MinLen(1), MaxLen(10_000)]
    repetitions: Annotated[int, Ge(1), Le(100_000)] = 1
    priority: Annotated[int, Ge(-1000), Le(1000)] = 0
    threads: Annotated[tuple[Annotated[int, Ge(1), Le(1024)], ...], MinLen(1), MaxLen(64)] = (1,)
    launches: Annotated[int, Ge(1), Le(10_000)] = 5
    iterations: Annotated[int, Ge(1), Le(1_000_000)] = 100
    min_seconds: Seconds = 0.0
    accelerator: Accelerator = DEVICE_DEFAULT
    load_mode: LoadMode = LoadMode.FILE
    cooldown: Seconds = 30.0
    timeout: Annotated[float, Ge(1.0), Le(1e6)] = 300.0
    profile: bool = False
    tag: Tag | None = None


@document
class FleetPlan:
    """All that a fleet shall measure."""

    version: Literal[1]
    bench: Annotated[tuple[BenchEntry, ...], MinLen(1), MaxLen(1000)]


@dataclass(frozen=True)
class Wanted:
    """What a target means: any unit of a model (`unit` is None), every one of them, or one by its key's beginning."""

    name: str
    unit: str | None

    def __str__(self) -> str:
        return self.name if self.unit is None else f"{self.name}/{self.unit}"


def parse_target(text: str) -> Wanted:
    """A target of a plan, whose form was checked when the plan was read."""
    name, slash, unit = text.partition("/")
    return Wanted(name, unit if slash else None)


def read_plan(path: Path) -> FleetPlan:
    """The plan in a TOML file.

    Raises:
        FleetPlanError: it cannot be read, is malformed, has an unknown key (the nearest known ones follow), or asks for
            more jobs than a run may have.
    """
    content = read_bounded(path, _MOST_BYTES, error=FleetPlanError)
    name = printable_path(path)
    try:
        values = tomllib.loads(content.decode())
        # TOML's dates have no counterpart in JSON; no key of ours takes one.
        text = json.dumps(values, default=str)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise FleetPlanError(f"the plan {name} is not TOML: {printable_line(first_line(error))}") from error
    _check_keys(values, _keys(FleetPlan), name, "")
    entries = values.get("bench")
    for place, entry in enumerate(entries if isinstance(entries, list) else []):
        if isinstance(entry, dict):
            _check_keys(entry, _keys(BenchEntry), name, f"bench.{place}: ")
    plan = documents.parse(FleetPlan, text, source=f"the plan {name}", error=FleetPlanError)
    for place, entry in enumerate(plan.bench):
        for field in ("artifacts", "devices", "threads"):
            listed = getattr(entry, field)
            if len(set(listed)) < len(listed):
                raise FleetPlanError(
                    f"the plan {name}: bench.{place}: {field} lists something twice", fix="keep one of each"
                )
    return plan


def _keys(kind: type[Any]) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


def _check_keys(values: Mapping[str, Any], known: Iterable[str], name: str, where: str) -> None:
    known = list(known)
    for key in values:
        if key not in known:
            fix = did_you_mean(key, known, most=2).rstrip() or f"choose among: {choices(known)}"
            raise FleetPlanError(f"the plan {name}: {where}there is no key {printable_line(key)!r}", fix=fix)
