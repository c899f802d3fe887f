"""What `bundle`, `selftest`, `classify`, `inspect`, `lint --list` and `train` print at 60, 80 and 120 columns."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from pocketclip.export.bundle.fitting import BundleRequest
from pocketclip.export.bundle.reading import read_bundle
from pocketclip.export.bundle.selftest import Check, Limit, SelfTestReport
from pocketclip.export.bundle.tolerances import execution_here
from pocketclip.export.bundle.writing import write_bundle
from pocketclip.export.commands.bundle import checks_table, towers_table
from pocketclip.export.commands.export import ranking_table
from pocketclip.export.commands.inspect import ops_table, weights_table
from pocketclip.export.commands.lint import rules_table
from pocketclip.export.package_report import Inspection, OpSummary, WeightSummary
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.models.commands.train import inheritance_table
from pocketclip.models.inheritance import InheritanceReport, InheritedEntry, Origin
from pocketclip.models.terminal.table import TerminalTable
from tests.export.bundle.tiny_artifacts import LABELS, build_artifact

NAME = "open_clip-ViT-B-16-quickgelu_my-own-checkpoint"


def of_bundle(folder: Path) -> TerminalTable:
    bundle = write_bundle(
        BundleRequest(build_artifact(folder, Tower.IMAGE), build_artifact(folder, Tower.TEXT), LABELS), folder / NAME
    )
    read_bundle(folder / NAME)
    image = replace(bundle.image, target=TargetName.EXECUTORCH_COREML, precision=Precision.INT8_WEIGHTS)
    return towers_table(Path("bundles", NAME), replace(bundle, image=image))


def of_selftest(folder: Path) -> TerminalTable:
    here = execution_here(TargetName.ONNX)
    check = Check(
        "image", "stored samples, cosine", 4, 0.999998, Limit.AT_LEAST, 0.9995, "another runtime or processor"
    )
    checks = (check, replace(check, part="text", name="sentences with other ids", note="first: 'a cat'", value=3.0))
    report = SelfTestReport(1, "a" * 64, NAME, here, True, here, False, checks, 1)
    return checks_table(Path("bundles", NAME), report)


def of_classify(folder: Path) -> TerminalTable:
    labels = [("a photo of a very large dog that sleeps beside a much smaller cat on a sofa", 0.75), ("cat", 0.25)]
    return ranking_table(f"{NAME}.png", f"{NAME} executorch-coreml-int8-weights", labels)


INSPECTION = Inspection(
    (
        OpSummary("constexpr_blockwise_shift_scale", 1200, (("fp16", 1200), ("int32", 12)), 80_000_000, True),
        OpSummary("scaled_dot_product_attention", 12, (("fp16", 12),), 0, False),
    ),
    (WeightSummary("palettised, 4 bits, per grouped channel", 120, 80_000_000, 160_000_000),),
)


def of_inspect(folder: Path) -> TerminalTable:
    return ops_table(INSPECTION)


def of_inspected_weights(folder: Path) -> TerminalTable:
    return weights_table(INSPECTION)


def of_lint(folder: Path) -> TerminalTable:
    return rules_table()


def of_train(folder: Path) -> TerminalTable:
    return inheritance_table(InheritanceReport((InheritedEntry("image.stages.0.weight", Origin.SLICED, 123_456_789),)))


MAKERS = (of_bundle, of_selftest, of_classify, of_inspect, of_inspected_weights, of_lint, of_train)


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_nothing_is_cut_and_nothing_breaks_in_a_word(
    maker: Callable[[Path], TerminalTable], width: int, tmp_path: Path
) -> None:
    table = maker(tmp_path)
    out = io.StringIO()
    Console(file=out, width=width, markup=False, highlight=False).print(table)
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    shown = out.getvalue()
    assert "\N{HORIZONTAL ELLIPSIS}" not in shown
    headings = [column.heading for column in table.columns]
    given = [table.title, *headings, *(str(cell) for row in table.rows for cell in row)]
    words = {word for text in given for word in re.findall(r"[A-Za-z]+", text)}
    found = set(re.findall(r"[A-Za-z]+", shown))
    # A word that breaks leaves two that nobody gave.
    assert found <= words | {"not", "shown", "for", "want", "of", "room"}
    first = {word for row in table.rows for word in re.findall(r"[A-Za-z]+", str(row[0]))}
    assert first <= found
