"""What a plan's targets mean on the devices that are there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pocketclip.benchmark.errors import FleetPlanError
from pocketclip.benchmark.fleet.cluster import FleetDevice
from pocketclip.benchmark.fleet.jobs import is_every
from pocketclip.benchmark.fleet.plan import FleetPlan, Wanted, parse_target
from pocketclip.models.errors import choices, did_you_mean
from pocketclip.models.untrusted.printable import printable_line


def resolve_targets(
    plan: FleetPlan, devices: Sequence[FleetDevice], known: Iterable[str]
) -> dict[str, tuple[Wanted, ...]]:
    """The units and names of each target; a name that is known and not there yet is waited for.

    Args:
        plan: the plan.
        devices: those that are there.
        known: names of the device tables here.

    Raises:
        FleetPlanError: neither host nor table knows a name (the nearest ones follow), or no or several units fit.
    """
    targets = dict.fromkeys(target for entry in plan.bench for target in entry.devices)
    names = dict.fromkeys([*(each.name for each in devices), *known])
    return {target: tuple(_resolve(parse_target(target), devices, list(names))) for target in targets}


def _resolve(wanted: Wanted, devices: Sequence[FleetDevice], names: Sequence[str]) -> list[Wanted]:
    if wanted.name not in names:
        meant = did_you_mean(wanted.name, names)
        there = choices(dict.fromkeys(each.name for each in devices))
        raise FleetPlanError(
            f"the plan's device {printable_line(wanted.name)!r} is none of the fleet's",
            fix=f"{meant}attached are: {there}",
        )
    if wanted.unit is None:
        return [wanted]
    units = sorted(each.key for each in devices if each.name == wanted.name)
    if is_every(wanted) and units:
        return [Wanted(wanted.name, key) for key in units]
    fitting = [key for key in units if key.startswith(wanted.unit)]
    if len(fitting) != 1:
        raise FleetPlanError(
            f"the plan's device {str(wanted)!r} is {'no' if not fitting else 'not one'} unit that is attached",
            fix=f"attached are: {choices(f'{wanted.name}/{key}' for key in units)}",
        )
    return [Wanted(wanted.name, fitting[0])]
