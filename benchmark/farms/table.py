"""The farms there are; each is imported only where it is used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pocketclip.benchmark.farms.farm import Farm, FarmName, Place


def open_farm(place: Place) -> Farm[Any]:
    """The farm of a place, not yet asked anything.

    Raises:
        FarmPackageError: the package that reaches it is missing; the message has the command that adds it.
    """
    return _OPENERS[place.farm](place.where)


def _ai_hub(where: str) -> Farm[Any]:
    from pocketclip.benchmark.farms.aihub import AiHub

    return AiHub(where)


def _device_farm(where: str) -> Farm[Any]:
    from pocketclip.benchmark.farms.devicefarm import DeviceFarm

    return DeviceFarm(where)


def _firebase(where: str) -> Farm[Any]:
    from pocketclip.benchmark.farms.firebase import Firebase

    return Firebase(where)


_OPENERS: dict[FarmName, Callable[[str], Farm[Any]]] = {
    FarmName.AI_HUB: _ai_hub,
    FarmName.DEVICE_FARM: _device_farm,
    FarmName.FIREBASE: _firebase,
}
