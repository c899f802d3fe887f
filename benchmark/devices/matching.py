"""The one attached device that an entry of the device table means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from pocketclip.benchmark.errors import AmbiguousDeviceError

Listed = TypeVar("Listed")


def only_one(name: str, fitting: Sequence[Listed], key: str, identity: Callable[[Listed], str]) -> Listed:
    """The only device that fits.

    Args:
        name: the entry's.
        fitting: what fits it, at least one.
        key: the key of `match` by which a device is told from others.
        identity: a device's value of that key.

    Raises:
        AmbiguousDeviceError: several fit.
    """
    if len(fitting) > 1:
        raise AmbiguousDeviceError(
            f"several attached devices match {name}: {', '.join(identity(each) for each in fitting)}",
            fix=f'choose one in your device table: [{name}] with match = {{ {key} = "{identity(fitting[0])}" }}',
        )
    return fitting[0]
