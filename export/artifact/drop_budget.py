"""How much a mixed-precision export may lose: what `--max-drop` says."""

from __future__ import annotations

import math
import re
from enum import StrEnum

from pocketclip.export.errors import PlanError
from pocketclip.models.documents import document
from pocketclip.models.errors import choices

SCENES = "scenes"
# Sets of `pocketclip eval` that a user has.
OWN_SETS = ("folder:", "csv:", "webdataset:")


class Metric(StrEnum):
    """What is measured on an artefact, against PyTorch in fp32 on the same samples.

    `cosine`: the mean cosine of embeddings. `accuracy`: points of zero-shot accuracy lost on a labelled set.
    """

    COSINE = "cosine"
    ACCURACY = "accuracy"


@document
class DropBudget:
    """The least mean cosine, or the most points of accuracy lost on the labelled set that is named."""

    metric: Metric
    limit: float
    labelled: str | None = None

    def __str__(self) -> str:
        return f"{self.metric}={self.limit:g}"


def parse_max_drop(text: str, labelled: str | None = None) -> DropBudget:
    """`cosine=0.995` (at least so much) or `accuracy=1.0` (at most so many points lost).

    Args:
        text: the words of `--max-drop`.
        labelled: the words of `--labelled`, for accuracy alone: `scenes`, `folder:PATH`, `csv:FILE` or
            `webdataset:PATTERN`.

    Raises:
        PlanError: it is neither, a number is out of range, or a labelled set is given that is of no use.
    """
    found = re.fullmatch(r"(\w+)=(\S+)", text.strip())
    if found is None or found[1] not in list(Metric):
        raise PlanError(f"--max-drop {text!r} is not valid", fix="write cosine=0.995 or accuracy=1.0")
    metric, limit = Metric(found[1]), _number(found[2])
    if metric is Metric.COSINE:
        if not 0 < limit < 1:
            raise PlanError(f"--max-drop {text} is out of range: a cosine between 0 and 1, such as cosine=0.995")
        if labelled is not None:
            raise PlanError("--labelled requires --max-drop accuracy=POINTS", fix="leave it out")
        return DropBudget(metric, limit)
    if not 0 <= limit < 100:
        raise PlanError(f"--max-drop {text} is out of range: points from 0 to 100, such as accuracy=1.0")
    labelled = SCENES if labelled is None else labelled
    if labelled != SCENES and not (labelled.startswith(OWN_SETS) and labelled not in OWN_SETS):
        raise PlanError(
            f"there is no labelled set {labelled!r}",
            fix=f"choose among: {choices([SCENES, 'folder:PATH', 'csv:FILE', 'webdataset:PATTERN'])}",
        )
    return DropBudget(metric, limit, labelled)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan
