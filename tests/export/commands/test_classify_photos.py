"""`classify` of photographs that users had trouble with: one table, no word on stderr."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from pocketclip.export.precision import Precision, TargetName, Tower

if TYPE_CHECKING:
    from pocketclip.export.job import ExportResult

CASES = Path(__file__).parents[2] / "cases"
ENCODED = Path(__file__).parents[2] / "app_golden" / "encoded"


@pytest.fixture
def classify(pocketclip, nano_exports: dict[tuple[str, str, str], ExportResult]):
    towers = [Path(nano_exports[TargetName.ONNX, Precision.FP32, tower].folder) for tower in Tower]

    def run(photo: Path):
        artifacts = [word for tower in towers for word in ("--artifact", tower)]
        return pocketclip("classify", photo, "--labels", "a red circle,a blue square", *artifacts)

    return run


@pytest.mark.slow
@pytest.mark.parametrize("name", ["odd_type.jpg", "negative_rational.jpg"])
def test_a_damaged_exif_block(classify, name: str) -> None:
    result = classify(CASES / "exif-unwritable-tag" / name)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    shown = [line for line in result.stdout.splitlines() if "a red circle" in line or "a blue square" in line]
    assert "a red circle" in shown[0]


@pytest.mark.slow
def test_a_sticker_is_the_same_whatever_lies_under_it(classify) -> None:
    tables = []
    for under in ("white", "black"):
        result = classify(ENCODED / f"sticker_over_{under}.png")
        assert result.returncode == 0, result.stderr
        tables.append(result.stdout.replace(under, ""))
    assert tables[0].split() == tables[1].split()


@pytest.mark.slow
def test_a_profile_that_cannot_be_used_is_said(classify) -> None:
    result = classify(ENCODED / "profile_cut_off.png")
    assert result.returncode == 0, result.stderr
    assert result.stderr.startswith("note: 1 image with a colour profile that cannot be used, the first: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_photograph_of_200_megapixels(classify, tmp_path: Path) -> None:
    Image.new("1", (12240, 16320), 1).save(tmp_path / "photo.png")
    result = classify(tmp_path / "photo.png")
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""


def test_a_larger_one_is_refused_in_words(pocketclip, error_line, tmp_path: Path) -> None:
    Image.new("1", (20000, 15001), 1).save(tmp_path / "photo.png")
    result = pocketclip("classify", tmp_path / "photo.png", "--labels", "a cat", "--artifact", tmp_path)
    assert result.returncode == 2
    assert "300,020,000 pixels; up to 300,000,000 are allowed: make it smaller" in error_line(result)
