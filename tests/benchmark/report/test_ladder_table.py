"""Ladders of `pocketclip verify` beside the records."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pocketclip.benchmark.errors import ReportError
from pocketclip.benchmark.report.content import build_report
from pocketclip.benchmark.report.ladder_table import read_ladders
from pocketclip.benchmark.report.material import Material
from pocketclip.export.ladder.report import (
    Agreement,
    Divergence,
    LadderReport,
    Method,
    Rung,
    RungName,
    Status,
    Verification,
)
from pocketclip.export.parity.clip_gates import ClipGates
from pocketclip.models import documents

GATES = ClipGates(256, 24, 0.9999, 0.9999, 0.9998, (0, 0, 0, 0, 256), 1.0, 0.1, 0.0, 1.0, 1.0, 1.0, None, ())


def ladder(sha256: str = "a" * 64, *, broken: bool = False, day: str = "2026-03-01") -> LadderReport:
    rungs = [
        Rung(RungName.INPUTS, "numpy", Status.PASSED, 267),
        Rung(RungName.EAGER, "torch", Status.PASSED, 267),
        Rung(RungName.REPARAMETERISED, "torch", Status.PASSED, 267, Agreement(0.9999999), Agreement(0.9999999)),
    ]
    if broken:
        astray = Divergence(Method.VALUES, "a mask was dropped", module="transformer.1", op="add")
        rungs.append(
            Rung(RungName.PROGRAM, "torch", Status.FAILED, 267, Agreement(0.41), None, ("cosine_min",), astray)
        )
        rungs.append(Rung(RungName.ARTEFACT, "onnxruntime", Status.NOT_REACHED, 0))
    else:
        rungs.append(Rung(RungName.ARTEFACT, "onnxruntime", Status.PASSED, 267, Agreement(0.99998)))
    gates = None if broken else GATES
    return LadderReport("nano image", sha256, "9" * 64, tuple(rungs), gates, f"{day}T00:00:00+00:00", {})


def test_rungs_of_a_sound_artefact(make: Any) -> None:
    (model,) = build_report(Material([make.benchmark()], ladders=[ladder()])).models
    assert model.ladder is not None
    (row,) = model.ladder.rows
    assert [cell.text for cell in row.cells] == [
        "ONNX fp32 image", "passed", "passed", "0.99999", "\N{EN DASH}", "\N{EN DASH}", "\N{EN DASH}", "0.99998", "met",
    ]  # fmt: skip
    assert not row.alarm


def test_the_rung_that_fails_says_where(make: Any) -> None:
    (model,) = build_report(Material([make.benchmark()], ladders=[ladder(broken=True)])).models
    assert model.ladder is not None
    (row,) = model.ladder.rows
    assert row.alarm
    assert "op add of module transformer.1" in row.cells[0].detail
    assert (row.cells[5].text, row.cells[5].style) == ("0.41000", "bad")
    assert (row.cells[7].text, row.cells[8].text) == ("not reached", "not reached")


def test_missed_gates_are_told(make: Any) -> None:
    missed = replace(ladder(), gates=replace(GATES, failures=("top1_agreement 0.8 is below 0.85",)))
    (model,) = build_report(Material([make.benchmark()], ladders=[missed])).models
    assert model.ladder is not None
    gate = model.ladder.rows[0].cells[-1]
    assert (gate.text, gate.detail) == ("missed", "top1_agreement 0.8 is below 0.85")


def test_the_latest_ladder_stands_and_others_need_a_record(make: Any) -> None:
    older = ladder(broken=True, day="2026-02-01")
    (model,) = build_report(Material([make.benchmark()], ladders=[ladder(), older])).models
    assert model.ladder is not None
    assert not model.ladder.rows[0].alarm
    (model,) = build_report(Material([make.benchmark()], ladders=[ladder("b" * 64)])).models
    assert model.ladder is None


def test_files_of_verify_are_read(tmp_path: Path) -> None:
    path = tmp_path / "found.json"
    documents.write(Verification((ladder(),)), path)
    assert read_ladders(path) == (ladder(),)
    path.write_text("{}")
    with pytest.raises(ReportError, match=r"found\.json is not a valid Verification"):
        read_ladders(path)
    with pytest.raises(ReportError, match="cannot read"):
        read_ladders(tmp_path / "none.json")
