"""`export` from Python: what its options say is what happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from pocketclip.export.api import ExportOptions, export
from pocketclip.export.errors import CalibrationError


@pytest.mark.parametrize("argument", [None, "photos"])
def test_calibration_of_the_options_or_of_the_argument(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argument: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ExportOptions(calibration="other" if argument else "photos")
    with pytest.raises(CalibrationError, match="photos"):
        export(
            "pocketclip_nano",
            target="onnx",
            precision="int8-static",
            tower="text",
            calibration=argument,
            options=options,
        )
