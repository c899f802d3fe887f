"""The table of a matrix, from artefacts on disk and records of a store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pocketclip.benchmark.commands.matrix import HEADINGS, app
from pocketclip.benchmark.records.profile import OpProfile, OpTime
from pocketclip.benchmark.store import open_store
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.precision import Precision, Tower
from tests.android_app.test_phone.npu import stand_in

BuildArtifact = Callable[..., Artifact]


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "results.sqlite")


def written(folder: Path, store: str) -> dict[tuple[str, str], dict[str, str]]:
    """The cells of the page by (precision, tower)."""
    out = folder.parent / "matrix.md"
    result = CliRunner().invoke(app, [str(folder), "--store", store, "--out", str(out)])
    assert result.exit_code == 0, result.output
    rows = [
        line.removeprefix("| ").removesuffix(" |").split(" | ")
        for line in out.read_text().splitlines()
        if line.startswith("| onnx")
    ]
    cells = [dict(zip(map(str, HEADINGS), (cell.strip() for cell in row), strict=True)) for row in rows]
    return {(each["precision"], each["tower"]): each for each in cells}


def test_a_row_for_every_artefact(build_artifact: BuildArtifact, make: Any, store: str) -> None:
    image = build_artifact("a")
    build_artifact("b", tower=Tower.TEXT, precision=Precision.INT8_STATIC, weights_scale=2.0)
    ops = (
        OpTime("1", "Xnnpack", "Xnnpack", 30, 96_000),
        OpTime("2", "squeeze", None, 60, 3_000),
        OpTime("3", "embedding", None, 30, 1_000),
    )
    record = make.benchmark(median_ms=2.0)
    record = replace(
        record,
        artifact=replace(record.artifact, sha256=image.manifest.sha256),
        profile=OpProfile("made up", (10_000,) * 30, ops),
    )
    with open_store(store) as records:
        records.append(record)
    cells = written(image.folder.parent, store)
    page = (image.folder.parent.parent / "matrix.md").read_text()
    assert f"Exported on {image.manifest.created_at[:10]}" in page and record.device.cpu in page
    assert list(cells) == [("fp32", "image"), ("int8-static", "text")]
    measured = cells["fp32", "image"]
    assert float(measured["p50, ms"]) == pytest.approx(2.0, rel=0.2)
    assert measured["ops outside"] == "3"
    assert measured["time outside"] == "4.0% (squeeze 3.0%, embedding 1.0%)"
    assert measured["parity"] == "passed"
    assert cells["int8-static", "text"]["p50, ms"] == "\N{EN DASH}"
    assert cells["int8-static", "text"]["ops outside"] == ""


def test_artefacts_for_npus_tell_what_is_on_the_npu(build_artifact: BuildArtifact, store: str, make: Any) -> None:
    with open_store(store) as records:
        records.append(make.benchmark())
    folder = build_artifact("plain").folder.parent
    npu = stand_in(build_artifact("tower", tower=Tower.TEXT), folder / "npu", ("SM8650",))
    cells = written(folder, store)
    assert cells["fp32", "image"]["on NPU"] == ""
    prepared = cells["fp16", "text"]
    assert (prepared["on NPU"], prepared["p50, ms"]) == ("4 of 4 (100.0\N{NO-BREAK SPACE}%)", "\N{EN DASH}")
    size = (npu.folder / "contexts" / "sm8650.onnx").stat().st_size
    assert float(prepared["size, MB"]) == pytest.approx(size / 1e6, abs=0.005)


def test_an_empty_folder_is_named(tmp_path: Path, store: str, make: Any) -> None:
    with open_store(store) as records:
        records.append(make.benchmark())
    result = CliRunner().invoke(app, [str(tmp_path / "nothing"), "--store", store])
    assert result.exit_code != 0 and "nothing" in str(result.exception)
