"""Studies from Python: `pocketclip.tune` carries one out, and `TunedStudy` is what it found."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TypeVar

from pocketclip.benchmark.api.devices import known_devices
from pocketclip.benchmark.api.fleet_nodes import joined_nodes
from pocketclip.benchmark.default_store import DEFAULT_STORE
from pocketclip.benchmark.devices import open_device
from pocketclip.benchmark.devices.table import find_entry
from pocketclip.benchmark.errors import OptionError
from pocketclip.benchmark.measuring.option_values import parse_duration_s
from pocketclip.benchmark.store.location import absolute_location
from pocketclip.benchmark.tune.confirming import Confirmed, confirm
from pocketclip.benchmark.tune.fleet_queue import FleetQueue
from pocketclip.benchmark.tune.front import FrontPoint, Nearest, front, nearest
from pocketclip.benchmark.tune.limits import Limit, Limits, parse_limit
from pocketclip.benchmark.tune.page import study_page
from pocketclip.benchmark.tune.picking import pick
from pocketclip.benchmark.tune.points import SearchSpace, open_space
from pocketclip.benchmark.tune.prediction import CostError, Prediction
from pocketclip.benchmark.tune.queueing import ProcessQueue, TaskQueue
from pocketclip.benchmark.tune.settings import Strategy, StudySettings, TrainingSettings
from pocketclip.benchmark.tune.shipping import Shipped, ship
from pocketclip.benchmark.tune.space import read_space
from pocketclip.benchmark.tune.study_store import begin_study, check_name, keep_result, read_study
from pocketclip.benchmark.tune.trials import Cost, Trial
from pocketclip.benchmark.tune.tuning import Watch, carry_on, held_study
from pocketclip.benchmark.tune.workshop import WORKERS, Workshop, check_data
from pocketclip.export.precision import InstructionSet
from pocketclip.models import atomic, documents
from pocketclip.models.errors import choices
from pocketclip.models.progress import OnProgress, silent
from pocketclip.models.registry import resolve_config
from pocketclip.models.untrusted.numbers import MOST_COUNT

_EMULATED = "emulator-arm64"
_TORCH_DEVICES = ("auto", "cpu", "cuda")
# What these options may be.
_RANGES: dict[str, tuple[float, float]] = {
    "learning_rate": (1e-9, 1000),
    "token_weight": (0, 100),
    "distillation_weight": (0, 1),
    "per_round": (1, 256),
    "seed": (0, MOST_COUNT),
}
# As many as verdicts of one family need.
_CONFIRM_LAUNCHES = 10

Kind = TypeVar("Kind", bound=StrEnum)


@dataclass(frozen=True)
class TuneOptions:
    """How a study searches. Each field is the `pocketclip tune` option of the same name; `isa` is `--for`.

    Limits are words with a unit: `8ms`, `20M`, `1.0pt`, `40MB`. `steps` is one number of training steps, or several
    with the better half going on after each. `budget` is a duration: seconds, a `timedelta`, or words such as `2h`.
    """

    max_latency: str | None = None
    max_instructions: str | None = None
    max_drop: str | None = None
    max_size: str | None = None
    device: str = "host"
    proxy: str | None = None
    isa: InstructionSet | str | None = None
    dataset: str = "scenes"
    data_root: str | Path = "data"
    samples: int | None = None
    data: str = "scenes:20000"
    steps: int | Sequence[int] = 300
    batch_size: int = 128
    learning_rate: float = 1.5e-3
    token_weight: float = 0.0
    distillation_weight: float = 0.0
    train: bool = True
    calibration: str = "scenes"
    launches: int = 5
    per_round: int = 4
    strategy: Strategy | str = Strategy.MODEL
    seed: int = 0
    budget: str | float | timedelta | None = None
    processes: int = 1
    cluster: str | None = None
    cores: int = 1
    torch_device: str = "auto"
    allow_invalid: bool = False
    devices: str | Path | None = None

    def __post_init__(self) -> None:
        if self.proxy not in (None, Cost.INSTRUCTIONS):
            raise OptionError(
                f"--proxy {self.proxy!r} is unknown", fix=f"choose {Cost.INSTRUCTIONS}, or leave it out to time"
            )
        if self.torch_device not in _TORCH_DEVICES:
            raise OptionError(
                f"--torch-device {self.torch_device!r} is unknown", fix=f"choose among: {choices(_TORCH_DEVICES)}"
            )
        for name, (least, most) in _RANGES.items():
            # Written so that NaN is none of them.
            if not least <= (value := getattr(self, name)) <= most:
                option = f"--{name.replace('_', '-')}"
                raise OptionError(f"{option} takes a number from {least:g} to {most:.16g}, got {value}")
        for option, value in (("--processes", self.processes), ("--cores", self.cores)):
            if value < 1:
                raise OptionError(f"{option} takes a whole number above zero, got {value}")
        if self.budget is not None:
            parse_duration_s("--budget", self.budget)


@dataclass(frozen=True)
class TunedStudy:
    """A study as it stands: all its trials, and what can be done with them.

    Attributes:
        name: in its store.
        space: what may vary.
        settings: what it searches, and how it measures and judges.
        trials: all of them, by number.
        workshop: where its trainings and artefacts are.
    """

    name: str
    space: SearchSpace
    settings: StudySettings
    trials: tuple[Trial, ...]
    workshop: Workshop

    @property
    def front(self) -> list[FrontPoint]:
        """The trials within the limits that no other such trial beats, by cost."""
        return front(self.trials, self.settings)

    @property
    def nearest(self) -> Nearest | None:
        """Where no trial meets the limits: the nearest one, and how far it is beyond which."""
        return nearest(self.trials, self.settings)

    @property
    def cost_error(self) -> CostError | None:
        """How far the model of cost is off; None for fewer than three measured trials."""
        return Prediction(self.space, self.settings, self.trials).cost_error()

    def page(self, path: str | Path) -> Path:
        """Writes the study's page, one HTML file."""
        atomic.write_text(Path(path), study_page(self.name, self.space, self.settings, self.trials))
        return Path(path)

    def confirm(self, *, launches: int | None = None, on_progress: OnProgress = silent) -> list[Confirmed]:
        """Measures the front again beside the unchanged model, in one session whose launches take turns.

        Args:
            launches: of each tower; None takes what verdicts of one family need.
            on_progress: called with each launch.
        """
        most = max(_CONFIRM_LAUNCHES, self.settings.launches) if launches is None else launches
        return confirm(self.workshop, self.trials, most, on_progress=on_progress)

    def ship(
        self,
        out: str | Path,
        *,
        choice: str = "knee",
        labels: Sequence[str] = (),
        weights_licence: str | None = None,
        on_progress: OnProgress = silent,
    ) -> Shipped:
        """Writes a trial as one folder: bundle, artefacts, weights, model card and evidence.

        Args:
            out: the folder; one that an earlier call wrote is replaced.
            choice: `knee`, `fastest` or `smallest` of the front, or a trial's number.
            labels: labels whose embeddings the bundle holds.
            weights_licence: of the weights, e.g. `Apache-2.0`.
            on_progress: called with the prompts that are embedded.

        Raises:
            StudyError: there is no such trial, it was not judged, or the bundle fails its self-test.
        """
        return ship(
            self.workshop,
            self.trials,
            pick(choice, self.trials, self.settings),
            Path(out),
            labels=labels,
            weights_licence=weights_licence,
            on_progress=on_progress,
        )


@dataclass(frozen=True)
class PreparedStudy:
    """A space that was checked against its device, and the settings of a study of it; nothing has run yet."""

    space: SearchSpace
    settings: StudySettings


def prepare(
    space: str | Path, options: TuneOptions, *, trials: int, say: Callable[[str], object] = silent
) -> PreparedStudy:
    """Reads a space and checks it against the device.

    Args:
        space: a TOML file, or a model that has a shipped space.
        options: how to search.
        trials: how many there may be.
        say: called with what you should know of the device.

    Raises:
        SpaceError: the space is empty or contradicts itself.
        OptionError: a value is not allowed.
        DeviceError: there is no such device, or it is not at hand.
    """
    cost = Cost.LATENCY if options.proxy is None else Cost.INSTRUCTIONS
    device = _EMULATED if cost is Cost.INSTRUCTIONS and options.device == "host" else options.device
    read = read_space(str(space))
    settings = StudySettings(
        space=read,
        cost=cost,
        device=device,
        limits=Limits(
            latency_ns=parse_limit(Limit.LATENCY, options.max_latency),
            instructions=parse_limit(Limit.INSTRUCTIONS, options.max_instructions),
            drop_points=parse_limit(Limit.DROP, options.max_drop),
            size_bytes=parse_limit(Limit.SIZE, options.max_size),
        ),
        train=options.train,
        dataset=options.dataset,
        samples=options.samples,
        training=TrainingSettings(
            steps=(options.steps,) if isinstance(options.steps, int) else tuple(options.steps),
            data=options.data,
            batch_size=options.batch_size,
            learning_rate=options.learning_rate,
            token_weight=options.token_weight,
            distillation_weight=options.distillation_weight,
        ),
        calibration=options.calibration,
        isa=None if options.isa is None else _member(InstructionSet, "--for", options.isa),
        launches=options.launches,
        strategy=_member(Strategy, "--strategy", options.strategy),
        per_round=options.per_round,
        seed=options.seed,
    )
    # As it will be read again: what its store could not give back would take the study's name for good.
    kept = json.dumps(documents.to_builtin(settings))
    settings = documents.parse(StudySettings, kept, source="the study of these options", error=OptionError)
    if trials < options.per_round:
        raise OptionError(
            f"--trials {trials} leaves no room for a round of {options.per_round}", fix="give fewer --per-round"
        )
    table = known_devices(None if options.devices is None else Path(options.devices))
    find_entry(device, table)
    # The space is checked against the device before anything of it costs.
    return PreparedStudy(open_space(read, open_device(device, table, say=say)), settings)


def tune(
    space: str | Path,
    *,
    study: str | None = None,
    options: TuneOptions | None = None,
    trials: int = 24,
    out: str | Path | None = None,
    store: str | Path = DEFAULT_STORE,
    watch: Watch | None = None,
) -> TunedStudy:
    """Searches a space for the best trade-off of cost and accuracy. Called again, it goes on where it stopped.

    Args:
        space: a TOML file, or a model that has a shipped space.
        study: its name in the store; None takes that of the space.
        options: how to search; None means the defaults.
        trials: at most so many, earlier calls' included.
        out: the folder for trainings and artefacts; None means `tune/STUDY`.
        store: a SQLite file or an SQLAlchemy URL for the study and its records.
        watch: is told how it comes along.

    Raises:
        SpaceError: the space is empty or contradicts itself.
        OptionError: a value is not allowed, or the study was begun with other settings.
        StudyError: another process carries this study on, or its trainings are gone.
        PocketClipError: the study cannot go on for now, such as when a device went away: call it again.
    """
    chosen = options or TuneOptions()
    prepared = prepare(space, chosen, trials=trials)
    return carry_out(prepared, chosen, study or Path(space).stem, trials=trials, out=out, store=str(store), watch=watch)


def carry_out(
    prepared: PreparedStudy,
    options: TuneOptions,
    name: str,
    *,
    trials: int,
    out: str | Path | None = None,
    store: str = DEFAULT_STORE,
    watch: Watch | None = None,
) -> TunedStudy:
    """`tune` from where the space was checked; arguments and errors as there."""
    check_name(name)
    data_root, folder = Path(options.data_root), Path("tune") / name if out is None else Path(out)
    budget_seconds = None if options.budget is None else parse_duration_s("--budget", options.budget)
    check_data(prepared.settings, data_root)
    with atomic.storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    threads = max(1, (os.cpu_count() or 1) // options.processes) if options.processes > 1 else None
    if options.cluster is not None:
        # On nodes, whose working folders are others.
        folder, data_root, store = folder.resolve(), data_root.resolve(), absolute_location(store)
        threads = options.cores
    workshop = Workshop(
        name,
        prepared.settings,
        folder,
        store,
        data_root,
        threads,
        options.allow_invalid,
        options.torch_device,
        None if options.devices is None else Path(options.devices),
    )
    with ExitStack() as held:
        held.enter_context(held_study(store, name))
        opened = held.enter_context(begin_study(store, name, prepared.settings))
        keep = partial(keep_result, store, name)
        queue: TaskQueue = ProcessQueue(workshop, keep, options.processes, folder / WORKERS)
        if options.cluster is not None:
            nodes = held.enter_context(joined_nodes(options.cluster))
            queue = FleetQueue(workshop, keep, nodes, options.cores, queue)
        found = carry_on(opened, prepared.space, queue, most=trials, budget_seconds=budget_seconds, watch=watch)
    return TunedStudy(name, prepared.space, prepared.settings, tuple(found), workshop)


def open_study(name: str, *, out: str | Path | None = None, store: str | Path = DEFAULT_STORE) -> TunedStudy:
    """A study as it stands in its store.

    Args:
        name: of the study.
        out: its folder, as `tune` was given it; None means `tune/STUDY`.
        store: a SQLite file or an SQLAlchemy URL.

    Raises:
        StudyError: the store has no such study, or it is damaged.
        StoreError: the store cannot be read.
    """
    check_name(name)
    with read_study(str(store), name) as opened:
        settings = opened.settings
        space = SearchSpace(settings.space, resolve_config(settings.space.model), {})
        trials = tuple(opened.trials(space))
    folder = Path("tune") / name if out is None else Path(out)
    return TunedStudy(name, space, settings, trials, Workshop(name, settings, folder, str(store)))


def _member(kind: type[Kind], option: str, value: str) -> Kind:
    try:
        return kind(value)
    except ValueError:
        raise OptionError(f"{option} {value!r} is unknown", fix=f"choose among: {choices(kind)}") from None
