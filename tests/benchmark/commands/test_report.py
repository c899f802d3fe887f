"""The `report` command: formats, where they go, baselines, and one line for each error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from pocketclip.benchmark.commands.report import report_command
from pocketclip.benchmark.errors import OptionError, ReportError, StoreError
from pocketclip.benchmark.store import open_store
from pocketclip.export.precision import Precision
from pocketclip.models.errors import ConfigError, StorageError

Report = Callable[..., Any]


@dataclass(frozen=True)
class Same:
    verdict: str = "cannot-tell"
    ratio: float = 1.0
    interval: tuple[float, float] | None = (0.97, 1.03)


@pytest.fixture
def store(make: Any, tmp_path: Path) -> str:
    """Two runs of one artefact, the first tagged v1."""
    location = str(tmp_path / "s.sqlite")
    with open_store(location) as records:
        records.append(replace(make.benchmark(), tag="v1"))
        records.append(make.benchmark())
    return location


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Report:
    """Runs the command in an empty folder; its own errors come through."""
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command()(report_command)
    return lambda *arguments: CliRunner().invoke(app, list(arguments), catch_exceptions=False)


def test_page_is_a_file_by_default(report: Report, store: str, tmp_path: Path) -> None:
    assert report("--store", store).exit_code == 0
    assert "<table" in (tmp_path / "report.html").read_text()


def test_markdown_and_json_are_printed_by_default(report: Report, store: str, tmp_path: Path) -> None:
    assert report("--store", store, "--format", "md").stdout.startswith("# PocketCLIP report\n")
    assert json.loads(report("--store", store, "--format", "json").stdout)["format"] == "pocketclip-report"
    assert not (tmp_path / "report.html").exists()
    report("--store", store, "--format", "json", "--out", "r.json")
    assert json.loads((tmp_path / "r.json").read_text())["models"]


def test_baseline_is_compared(report: Report, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("pocketclip.benchmark.statistics.verdicts")
    module.__dict__.update(compare_records=lambda baseline, candidate: Same(), judge_family=list)
    # Records made up by the store's fixture have too few launches for real verdicts.
    monkeypatch.setitem(sys.modules, "pocketclip.benchmark.statistics.verdicts", module)
    text = report("--store", store, "--format", "md", "--baseline", "v1").stdout
    assert "#### Compared with v1" in text
    assert "cannot tell" in text
    with pytest.raises(ReportError, match="has the tag 'v9'; choose among: v1"):
        report("--store", store, "--baseline", "v9")


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ((), "Compares each artefact with floating point of the same model, runtime and device."),
        (("--baseline", "precision:fp32"), "Compares each artefact with fp32 of the same model, runtime and device."),
        (("--baseline", "tag:v1"), "Compares the latest valid record of each artefact with the one tagged v1."),
        (("--baseline", "model:pocketclip_nano"), "Compares each model with pocketclip\\_nano, in the same form"),
    ],
)
def test_baselines_of_every_kind(report: Report, make: Any, store: str, option: tuple[str, ...], words: str) -> None:
    with open_store(store) as records:
        for record in (make.benchmark(precision=Precision.INT8_STATIC), make.benchmark()):
            records.append(record)
        other = make.benchmark()
        records.append(replace(other, artifact=replace(other.artifact, model="mobileclip_s0")))
    text = report("--store", store, "--format", "md", *option).stdout
    head = text[: text.index("## Environment")]
    assert words in head
    assert "| Candidate |" in head


def test_bad_baselines(report: Report, store: str) -> None:
    with pytest.raises(ReportError, match="the model 'vit'; choose among: pocketclip_nano"):
        report("--store", store, "--baseline", "model:vit")
    with pytest.raises(ReportError, match="the precision 'int3'; choose among: fp32"):
        report("--store", store, "--baseline", "precision:int3")
    with pytest.raises(OptionError, match="--baseline 'model:' names nothing; give a tag, model:NAME"):
        report("--store", store, "--baseline", "model:")


def test_bad_requests(report: Report, make: Any, store: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--format 'pdf' is unknown; choose among: html, md, json"):
        report("--store", store, "--format", "pdf")
    with pytest.raises(StoreError, match="there is no store"):
        report("--store", "none.sqlite")
    with pytest.raises(ReportError, match=r"cannot read none\.json"):
        report("--store", store, "--ladder", "none.json")
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        report("--store", store, "--out", "file/report.html")


def test_help_names_the_options(report: Report) -> None:
    result = report("--help")
    assert result.exit_code == 0
    for option in ("--store", "--format", "--baseline", "--ladder", "--out"):
        assert option in result.output
