"""Bisection: the tower cut at a border of one of its modules, converted, and compared with PyTorch there.

A cut tower runs whole while it is traced and gives the value at the border; what lies behind it is dead code, which
every exporter drops. So modules keep their paths, by which quantisers know them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from pocketclip.export.errors import ConversionError
from pocketclip.export.ladder.conversion import Conversions
from pocketclip.export.ladder.report import Divergence, Method
from pocketclip.export.ladder.stations import Event, Site, module_sites
from pocketclip.export.parity.measures import snr_db
from pocketclip.export.passes.tower_module import NORM_SCOPE
from pocketclip.export.precision import Precision


def bisect(
    conversions: Conversions,
    tower: nn.Module,
    precision: Precision,
    probes: Sequence[np.ndarray],
    limit_db: float,
    tell: Callable[[str], object] = lambda text: None,
) -> Divergence | None:
    """Finds two neighbouring borders of which the first agrees within the limit and the second does not.

    Args:
        conversions: what converts.
        tower: the exported module, whose whole conversion is known to fail.
        precision: that of the failing form.
        probes: inputs on which it fails.
        limit_db: the least SNR of a value that agrees.
        tell: called with a line for each conversion.

    Returns:
        The place, or None where even the last border agrees on these probes.
    """
    borders = _borders(tower, probes)
    sites = list(borders)

    def agrees(place: int) -> bool:
        site = sites[place]
        cut = cut_at(tower, site)
        try:
            outputs = conversions.run(conversions.convert(cut, precision), probes)
        except ConversionError as error:
            tell(f"the cut at {site} cannot be converted: {error}")
            return True
        level = min(_level(expected, output) for expected, output in zip(borders[site], outputs, strict=True))
        tell(f"cut at {site}: {level:.1f} dB")
        return level >= limit_db

    good, bad = -1, len(sites) - 1
    if agrees(bad):
        return None
    while bad - good > 1:
        middle = (good + bad) // 2
        if agrees(middle):
            good = middle
        else:
            bad = middle
    site = sites[bad]
    # What enters a module wrong was made wrong by the code of the module around it.
    module = site.module if site.event is Event.EXIT else site.module.rpartition(".")[0]
    return Divergence(
        method=Method.CUTS,
        detail=f"{site} is the first value that a conversion of the tower up to it gives wrong",
        module=module,
        class_name=type(tower.get_submodule(module)).__name__,
        after=str(sites[good]) if good >= 0 else None,
        cause=f"a wrong lowering at {module or 'the tower itself'}",
    )


def cut_at(tower: nn.Module, site: Site) -> nn.Module:
    """A copy of the tower that gives the value at a border instead of the embedding."""
    cut = copy.deepcopy(tower)
    if hasattr(cut, NORM_SCOPE) and not site.module.startswith(NORM_SCOPE):
        # Half-precision forms apply the norm to what the tower gives.
        setattr(cut, NORM_SCOPE, nn.Identity())
    held: list[Tensor] = []
    module = cut.get_submodule(site.module)

    def hold(_: nn.Module, inputs: tuple[Any, ...], output: Any = None) -> None:
        value = inputs if site.event is Event.ENTER else output
        held.append(value[0] if isinstance(value, tuple) else value)

    if site.event is Event.ENTER:
        module.register_forward_pre_hook(hold)
    else:
        module.register_forward_hook(hold)

    def give(_: nn.Module, inputs: object, output: object) -> Tensor:
        first = held[0]
        held.clear()
        return first

    cut.register_forward_hook(give)
    return cut.eval()


def _borders(tower: nn.Module, probes: Sequence[np.ndarray]) -> dict[Site, tuple[np.ndarray, ...]]:
    """Borders in order, each value once: what leaves a module often enters the next one as it is."""
    found: dict[Site, tuple[np.ndarray, ...]] = {}
    seen: set[bytes] = set()
    for site, values in module_sites(tower, probes).items():
        key = values[0].tobytes()
        if key not in seen and not (site.module == "" and site.event is Event.ENTER):
            seen.add(key)
            found[site] = values
    return found


def _level(expected: np.ndarray, output: np.ndarray) -> float:
    if output.shape != expected.shape or not np.isfinite(output).all():
        return float("-inf")
    return snr_db(expected, output)
