"""Shows what a run on a farm costs at most, and asks for it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from pocketclip.benchmark.errors import CostNotAcceptedError
from pocketclip.models.terminal import command_line

if TYPE_CHECKING:
    from pocketclip.benchmark.farms.farm import Cost


def accepted(cost: Cost, *, yes: bool) -> bool:
    """Whether the user accepts a cost, which is shown in any case; `yes` is the answer that was given before.

    Raises:
        CostNotAcceptedError: nobody can be asked.
    """
    amount = "price unknown" if cost.most_usd is None else f"at most {cost.most_usd:.2f} USD"
    command_line.note(f"cost: {amount}: {cost.words} ({cost.source})")
    if yes:
        return True
    if not sys.stdin.isatty():
        raise CostNotAcceptedError("the cost must be accepted, and there is no terminal to ask on", fix="give --yes")
    return typer.confirm("submit?", err=True)
