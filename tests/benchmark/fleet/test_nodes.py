"""Exports, trials and commands on nodes: what comes back is checked, what fails stops nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pocketclip.benchmark.api.fleet_nodes import CommandOutcome, run_commands
from pocketclip.benchmark.errors import OptionError
from pocketclip.benchmark.fleet.exports import CarriedWeights, Exported, exports_on_nodes
from pocketclip.benchmark.fleet.nodes import InlineNodes
from pocketclip.benchmark.fleet.parcels import pack
from pocketclip.benchmark.tune.fleet_queue import FleetQueue
from pocketclip.benchmark.tune.points import Point
from pocketclip.benchmark.tune.queueing import InlineQueue
from pocketclip.benchmark.tune.steps import Stage, Task
from pocketclip.benchmark.tune.trials import Failed
from pocketclip.export.api import load_artifact
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.errors import ConversionError
from pocketclip.export.job import ExportJob, ExportResult
from pocketclip.export.jobs import elsewhere
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.models.errors import PocketClipError, StorageError
from pocketclip.models.registry import resolve_config

BuildArtifact = Callable[..., Artifact]


def job(out: Path, **changes: Any) -> ExportJob:
    values: dict[str, Any] = {
        "config": resolve_config("pocketclip_nano"),
        "weights": None,
        "target": TargetName.ONNX,
        "precision": Precision.FP32,
        "tower": Tower.IMAGE,
        "out": out,
    }
    return ExportJob(**(values | changes))


def test_an_artefact_comes_back_whole(tmp_path: Path, build_artifact: BuildArtifact) -> None:
    made = build_artifact()
    checkpoint = tmp_path / "w.safetensors"
    checkpoint.write_bytes(b"weights")
    seen: list[tuple[ExportJob, CarriedWeights | None, int]] = []

    def exporter(wanted: ExportJob, weights: CarriedWeights | None, cores: int) -> Exported:
        seen.append((wanted, weights, cores))
        if wanted.tower is Tower.TEXT:
            raise ConversionError("onnx cannot convert it")
        return Exported(ExportResult(made.folder, made.manifest, 3.0), pack(made.folder))

    wanted = [job(tmp_path / "out", weights=str(checkpoint)), job(tmp_path / "out", tower=Tower.TEXT)]
    outcomes = dict(exports_on_nodes(InlineNodes(), wanted, cores=2, exporter=exporter))
    good, bad = (outcomes[each] for each in wanted)
    assert isinstance(good, ExportResult) and good.folder == wanted[0].folder and good.seconds == 3.0
    assert load_artifact(wanted[0].folder).manifest == made.manifest
    assert isinstance(bad, ConversionError) and not wanted[1].folder.exists()
    # A node may not have the checkpoint's file: its content travels.
    assert seen[0][1] == CarriedWeights("w.safetensors", b"weights") and seen[0][2] == 2


@pytest.mark.parametrize("fault", ["altered", "outside", "more", "none"])
def test_a_hostile_node_s_artefact(tmp_path: Path, build_artifact: BuildArtifact, fault: str) -> None:
    made = build_artifact()
    files = pack(made.folder)
    files |= {"altered": {"model.onnx": b"other"}, "outside": {"../../evil": b"x"}, "more": {"extra.bin": b"x"}}.get(
        fault, {}
    )
    files = {} if fault == "none" else files

    def exporter(*_: Any) -> Exported:
        return Exported(ExportResult(made.folder, made.manifest, 3.0), files)

    wanted = job(tmp_path / "out")
    ((_, found),) = exports_on_nodes(InlineNodes(), [wanted], cores=1, exporter=exporter)
    assert isinstance(found, PocketClipError)
    assert not wanted.folder.exists() and not list(tmp_path.rglob("evil"))


def test_trials_train_on_nodes_and_measure_here() -> None:
    kept: list[tuple[int, Any]] = []
    worker = TestWorker()
    queue = FleetQueue(worker, lambda number, result: kept.append((number, result)), Recording(), 3, Here(kept))
    tasks = [Task(number, Point(()), Stage.TRAIN) for number in range(2)]
    found = list(queue.run(Stage.TRAIN, tasks))
    assert [task.number for task, _ in found] == [0, 1] and [number for number, _ in kept] == [0, 1]
    assert isinstance(found[1][1], Failed)
    assert queue.nodes.cores == [3]  # type: ignore[attr-defined]
    list(queue.run(Stage.MEASURE, tasks))
    assert kept[-1] == (-1, "measured here")
    worker.error = StorageError("the disk is full")
    with pytest.raises(StorageError, match="the disk is full"):
        list(queue.run(Stage.TRAIN, tasks))


class TestWorker:
    """The first trial is trained, the others cannot be converted."""

    __test__ = False

    error: PocketClipError | None = None

    def carry_out(self, task: Task) -> Any:
        if self.error is not None:
            raise self.error
        if task.number:
            raise ConversionError("no")
        return "trained"


class Recording(InlineNodes):
    """Nodes that note how many cores were asked for."""

    def __init__(self) -> None:
        self.cores: list[int] = []

    def run(self, calls: Any, *, cores: int) -> Any:
        self.cores.append(cores)
        yield from super().run(calls, cores=cores)


class Here(InlineQueue):
    """The queue of this computer."""

    def __init__(self, kept: list[tuple[int, Any]]) -> None:
        object.__setattr__(self, "kept", kept)

    def run(self, stage: Stage, tasks: Any) -> Any:
        self.kept.append((-1, "measured here"))  # type: ignore[attr-defined]
        yield from ()


def test_commands(tmp_path: Path) -> None:
    ended = list(run_commands(InlineNodes(), ["models --help", "pocketclip eval --no-such"], cores=1, folder=tmp_path))
    assert [each.exit_code for each in ended] == [0, 2]
    assert "Usage" in ended[0].output and "no-such" in ended[1].output
    (gone,) = run_commands(InlineNodes(), ["models"], cores=1, folder=tmp_path / "no")
    assert isinstance(gone, CommandOutcome) and gone.exit_code == 2 and "share it with all hosts" in gone.output


@pytest.mark.parametrize("line", ["", "'", "fleet start", "; rm -rf x", "--version"])
def test_what_is_no_command(tmp_path: Path, line: str) -> None:
    with pytest.raises(OptionError, match="is no command"):
        list(run_commands(InlineNodes(), [line], cores=1, folder=tmp_path))


def test_a_program_that_reaches_no_fleet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from pocketclip.export.errors import ExportError

    monkeypatch.setattr(elsewhere, "_carriers", [])
    with pytest.raises(ExportError, match="this program reaches no fleet"):
        list(elsewhere.carried("host:1", [job(tmp_path)], 1))
