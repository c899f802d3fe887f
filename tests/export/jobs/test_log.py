"""`export.log`: exports into one folder do not lose each other's lines."""

from __future__ import annotations

from pathlib import Path

from pocketclip.export.errors import ConversionError
from pocketclip.export.job import ExportJob
from pocketclip.export.jobs.log import LOG_NAME, ExportLog
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.models.registry import load_config


def test_an_export_that_begins_later_leaves_what_is_there(tmp_path: Path) -> None:
    job = ExportJob(load_config("pocketclip_nano"), None, TargetName.ONNX, Precision.FP32, Tower.TEXT, tmp_path)
    first, second = ExportLog(tmp_path), ExportLog(tmp_path)
    first.begin()
    first.keep((job, ConversionError("no such op")))
    second.begin()
    first.again("once more")
    lines = (tmp_path / LOG_NAME).read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["begun", "failed", "begun", "again"]
    assert lines[1] == "failed   pocketclip_nano onnx-fp32 text: no such op"
