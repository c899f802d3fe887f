"""Graphs for an artefact's further chips are compared too: each has been compiled by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pocketclip.export.artifact.parity_report import ParityReport
from pocketclip.export.npu.npu_report import NpuContext, write_report
from pocketclip.export.parity.budgets import BUDGETS, Budget
from pocketclip.export.parity.measures import Reference
from pocketclip.export.parity.other_chips import with_other_chips
from pocketclip.export.precision import Precision, TargetName
from pocketclip.export.targets.base import LoweringRequest
from pocketclip.models.errors import NonFiniteError

REPORT = ParityReport(8, 1.0, 1.0, 1.0, 1e-6, 120.0, 1.0, 1.0, "the first chip", ())
SOCS = ("SM8450", "SM8550", "SM8650")


class Graph:
    """What a chip computes: its inputs, in another order for a chip that is `turned`."""

    def __init__(self, path: Path, turned: bool, log: list[str]) -> None:
        assert path.is_file()
        self._turned, self._log = turned, log

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [inputs[0][:, ::-1] if self._turned else inputs[0]]

    def close(self) -> None:
        self._log.append("closed")


class TwoChips:
    """A target for NPUs with one chip whose graph computes something else."""

    def __init__(self, wrong: str = "") -> None:
        self.wrong = wrong
        self.opened: list[str] = []
        self.log: list[str] = []

    def lower(self, request: LoweringRequest, folder: Path) -> str:
        raise AssertionError

    def open(self, model_path: Path, threads: int) -> Graph:
        raise AssertionError

    def executed_by(self) -> str:
        raise AssertionError

    def open_prepared(self, path: Path, soc: str) -> Graph:
        self.opened.append(soc)
        return Graph(path, soc == self.wrong, self.log)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for soc in SOCS:
        (tmp_path / f"{soc}.bin").write_bytes(b"graph")
    contexts = [NpuContext(soc=soc, file=f"{soc}.bin", size_bytes=5, graphs=1, on_cpu=0) for soc in SOCS]
    write_report(contexts, tmp_path, sdk="v2.49", package="onnxruntime-qnn 2.5.0")
    return tmp_path


BUDGET: Budget = BUDGETS[TargetName.TFLITE_QNN, Precision.INT8_STATIC]
INPUTS = np.random.default_rng(0).normal(size=(9, 1, 16)).astype(np.float32)
REFERENCE = Reference(list(INPUTS), INPUTS[:, 0], INPUTS[:, 0], 1.0)


def test_the_chip_that_computes_something_else_is_named(folder: Path) -> None:
    target = TwoChips(wrong="SM8650")
    report = with_other_chips(replace(REPORT, failures=("first",)), target, folder, REFERENCE, BUDGET)
    assert target.opened == ["SM8550", "SM8650"] and target.log == ["closed"] * 2
    assert report.failures[0] == "first"
    (failure,) = report.failures[1:]
    assert failure.startswith("the graph for SM8650 computes something else: cosine_min ") and "--soc" in failure


def test_graphs_that_compute_the_same_change_nothing(folder: Path) -> None:
    assert with_other_chips(REPORT, TwoChips(), folder, REFERENCE, BUDGET) == REPORT


def test_values_that_are_not_finite_end_the_export(folder: Path) -> None:
    broken = replace(REFERENCE, inputs=[np.full((1, 16), np.nan, np.float32)] * 9)
    with pytest.raises(NonFiniteError, match="the graph for SM8550 gave NaN"):
        with_other_chips(REPORT, TwoChips(), folder, broken, BUDGET)


def test_targets_without_chips_are_left_alone(tmp_path: Path) -> None:
    class Plain:
        def lower(self, request: LoweringRequest, folder: Path) -> str:
            raise AssertionError

        def open(self, model_path: Path, threads: int) -> Graph:
            raise AssertionError

        def executed_by(self) -> str:
            raise AssertionError

    assert with_other_chips(REPORT, Plain(), tmp_path, REFERENCE, BUDGET) is REPORT
