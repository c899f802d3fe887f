"""docs/verify.md shows the parity budgets as they are."""

from __future__ import annotations

import re
from pathlib import Path

from pocketclip.export.parity.budgets import BUDGETS
from pocketclip.export.precision import Precision, TargetName
from pocketclip.models.statistics.judgement import surely_below

PAGE = (Path(__file__).parents[3] / "docs/verify.md").read_text()
Bounds = tuple[float, ...]


def test_every_budget_is_on_the_page() -> None:
    section = PAGE.partition('## What "passed" means')[2].partition("\n## ")[0]
    shown: dict[tuple[TargetName, Precision], Bounds] = {}
    for line in re.findall(r"^\| (`.*) \|$", section, re.MULTILINE):
        precision, targets, *numbers, top1 = line.split(" | ")
        for target in targets.split(", "):
            key = TargetName(target.strip("`")), Precision(precision.strip("`"))
            assert key not in shown, f"{target} {precision} has two rows"
            shown[key] = (*map(float, numbers), float(top1.removesuffix(" %")))
    assert shown == {
        key: (
            each.cosine_mean,
            each.cosine_p1,
            each.cosine_min,
            each.max_abs,
            each.snr_db,
            round(100 * each.top1_agreement, 6),
        )
        for key, each in BUDGETS.items()
    }


def test_what_the_page_says_of_chance() -> None:
    bound = BUDGETS[TargetName.ONNX, Precision.INT8_STATIC].top1_agreement
    words = " ".join(PAGE.split())
    found = re.search(
        r"with (\d+) samples, (\d+) of them .* still pass the 85 % of `int8-static`, (\d+) miss it", words
    )
    assert found is not None and bound == 0.85
    samples, passing, missing = map(int, found.groups())
    assert not surely_below(passing, samples, bound) and surely_below(missing, samples, bound)
