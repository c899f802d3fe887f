"""Our exports against plain ones: real processes over tiny models, and tables and goals from made-up samples."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pocketclip.benchmark.errors import MeasurementError
from pocketclip.benchmark.perf import measuring, table
from pocketclip.benchmark.perf.comparison_records import PerfRecord
from pocketclip.benchmark.perf.goals import judge
from pocketclip.benchmark.perf.measuring import TimedGroup, TimingSettings, time_group
from pocketclip.export.artifact.reading import Artifact

LABELS = ("plain", "fp32", "int8-static")


def record(times_ns: tuple[int, int, int], model: str = "mobileclip_s0", runtime: str = "onnxruntime") -> PerfRecord:
    """Seven processes with three equal samples of each file."""
    row = tuple((each,) * 3 for each in times_ns)
    return PerfRecord(model, "image", runtime, "1.0", 10**9, LABELS, (row,) * 7, (1e11,) * 7)


def test_files_are_timed_in_turn(build_artifact: Callable[..., Artifact]) -> None:
    artifacts = [build_artifact(name) for name in ("one", "two")]
    files = {each.folder.name: each.folder / "model.onnx" for each in artifacts}
    sample = artifacts[0].golden(artifacts[0].manifest.golden.inputs)[:1]
    timed = time_group(
        TimedGroup("tiny", "image", "onnxruntime", 1000, files, dict.fromkeys(files, sample)),
        TimingSettings(processes=2, warmup=1, rounds=3),
    )
    assert timed.labels == ("one", "two")
    assert np.asarray(timed.samples_ns).shape == (2, 2, 3)
    assert np.asarray(timed.samples_ns).min() > 0
    assert timed.runtime_version.startswith("onnxruntime ")
    assert min(timed.gemm_flops_per_second) > 1e8


def test_every_process_has_another_order_and_samples_keep_their_labels(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    orders: list[list[str]] = []

    def run_process(job: dict[str, list[str]], group: TimedGroup, timeout: float) -> dict[str, object]:
        orders.append(job["files"])
        return {"samples_ns": [[int(Path(file).stem)] for file in job["files"]], "gemm_flops_per_second": 1e11}

    monkeypatch.setattr(measuring, "_run_process", run_process)
    files = {label: tmp_path / f"{place}.onnx" for place, label in enumerate(LABELS)}
    group = TimedGroup("tiny", "image", "onnxruntime", 1000, files, dict.fromkeys(files, np.zeros((1, 3))))
    timed = time_group(group, TimingSettings(processes=7))
    assert len({tuple(order) for order in orders}) == 6 and orders[6] == orders[0]
    assert timed.samples_ns == (((0,), (1,), (2,)),) * 7


def test_a_file_that_does_not_load_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"nothing")
    files, inputs = {"plain": tmp_path / "broken.onnx"}, {"plain": np.zeros((1, 3), np.float32)}
    group = TimedGroup("tiny", "image", "onnxruntime", 1000, files, inputs)
    with pytest.raises(MeasurementError, match="timing tiny image with onnxruntime ended with code 1"):
        time_group(group, TimingSettings(processes=1))


def test_goals_are_met_or_missed() -> None:
    outcomes = {each.goal.label: each for each in judge(record((1000, 929, 700)))}
    assert outcomes["fp32"].met and not outcomes["int8-static"].met
    assert outcomes["int8-static"].ratio.median == pytest.approx(700 / 929)


def test_the_integer_variant_has_goals_of_its_own() -> None:
    (outcome,) = judge(record((1000, 900, 500), "pocketclip_int8"))
    assert (outcome.goal.label, outcome.goal.base, outcome.goal.at_most) == ("int8-static", "fp32", 0.50)
    assert not outcome.met


def test_table_shows_ratios_goals_and_the_share_of_the_processor() -> None:
    plain, fp32, int8 = table.rows([record((40_000_000, 20_000_000, 10_000_000))])
    assert plain[3:6] == ("plain", "40.00", "")
    assert fp32[4:] == ("20.00", "0.500 (0.500 to 0.500)", "", "0.93 met", "50%")
    assert int8[6:] == ("0.500 (0.500 to 0.500)", "0.70 met", "")
    assert table.markdown([record((40, 20, 10))]).count("\n") == 4


def test_command_keeps_what_it_has_timed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from pocketclip.benchmark.perf import exports
    from pocketclip.benchmark.perf.__main__ import app

    monkeypatch.setattr(exports, "make_candidates", lambda *arguments: ([], [MeasurementError("onnx-plain: no room")]))
    out = tmp_path / "perf.json"
    result = CliRunner().invoke(app, ["--model", "pocketclip_nano", "--json", str(out)])
    assert isinstance(result.exception, MeasurementError) and "2 files could not be made" in str(result.exception)
    assert not out.exists() or json.loads(out.read_text())["records"] == []
