"""Which attached iPhone a device of the table is."""

from __future__ import annotations

from pocketclip.benchmark.devices.matching import only_one
from pocketclip.benchmark.devices.table import DeviceEntry
from pocketclip.benchmark.errors import DeviceNotFoundError, DeviceUnauthorizedError
from pocketclip.benchmark.platforms.apple.faults import TRUST
from pocketclip.benchmark.platforms.apple.phone import ListedPhone
from pocketclip.benchmark.platforms.apple.ways import WayName


def find_phone(entry: DeviceEntry, listed: list[ListedPhone], way: WayName) -> ListedPhone:
    """The attached phone that is meant.

    Raises:
        DeviceNotFoundError, AmbiguousDeviceError: none fits, or several do.
        DeviceUnauthorizedError: it does not trust this computer.
    """
    fitting = [phone for phone in listed if fits(entry, phone)]
    there = [phone for phone in fitting if phone.connected]
    if not fitting:
        seen = ", ".join(f"{each.udid} ({each.product or 'unknown'})" for each in listed) or "none"
        raise DeviceNotFoundError(
            f"{entry.name} is not attached ({way} lists: {seen})",
            fix="plug it in and unlock it; for another phone use its name, or add to your device table: "
            f'[{entry.name}] with match = {{ udid = "..." }}',
        )
    if not there:
        raise DeviceNotFoundError(
            f"{entry.name} ({fitting[0].udid}) is known to {way} but not attached", fix="plug it in and unlock it"
        )
    found = only_one(entry.name, there, "udid", lambda phone: phone.udid)
    if found.paired is False:
        raise DeviceUnauthorizedError(f"{entry.name} ({found.udid}) does not trust this computer", fix=TRUST)
    return found


def fits(entry: DeviceEntry, phone: ListedPhone) -> bool:
    """Whether a phone that is listed is meant. A number is exact; it may be written without its hyphen."""
    if entry.match.udid is not None:
        return phone.udid.replace("-", "").lower() == entry.match.udid.replace("-", "").lower()
    return phone.product in entry.match.products
