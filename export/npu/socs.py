"""Qualcomm's chips with an NPU that graphs can be prepared for here, and the phones that have them.

Numbers: Qualcomm's `soc_model`, as ExecuTorch 1.5.1 has them in its table of chipsets
(backends/qualcomm/serialization/qc_schema.py).
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from pocketclip.export.errors import UnknownSocError
from pocketclip.models.errors import choices


@dataclass(frozen=True)
class Soc:
    """A chip.

    Attributes:
        name: Qualcomm's.
        title: what it is sold as.
        soc_model: Qualcomm's number, by which the library knows its cores and memory.
        hexagon: the version of its NPU.
        phones: names of devices of ours (`benchmark/devices.toml`) that have it.
    """

    name: str
    title: str
    soc_model: int
    hexagon: str
    phones: tuple[str, ...] = ()


SOCS: dict[str, Soc] = {
    soc.name: soc
    for soc in (
        Soc("SM8450", "Snapdragon 8 Gen 1", 36, "v69", ("galaxy-s22", "galaxy-s22-plus", "galaxy-s22-ultra")),
        Soc("SM8475", "Snapdragon 8+ Gen 1", 42, "v69"),
        Soc("SM8550", "Snapdragon 8 Gen 2", 43, "v73", ("galaxy-s23", "galaxy-s23-plus", "galaxy-s23-ultra")),
        Soc("SM8650", "Snapdragon 8 Gen 3", 57, "v75", ("galaxy-s24", "galaxy-s24-plus", "galaxy-s24-ultra")),
        Soc("SM8750", "Snapdragon 8 Elite", 69, "v79", ("galaxy-s25", "galaxy-s25-plus", "galaxy-s25-ultra")),
        Soc("SM8850", "Snapdragon 8 Elite Gen 5", 87, "v81"),
    )
}
# Those of Android's fastest phones of three years.
DEFAULT_SOCS = ("SM8550", "SM8650", "SM8750")


# Of one chip there are bins, which Qualcomm tells apart behind the name: SM8650-AC.
_TOLD = re.compile(r"([A-Z]{2,3}[0-9]{3,5}[A-Z]{0,3})(?:-[A-Z0-9]{1,4})?")


def chip_name(told: str | None, phone: str | None = None) -> str | None:
    """A phone's chip as artefacts name it, from what its system tells, else by the phone's name among our devices."""
    found = None if told is None else _TOLD.fullmatch(told.strip())
    if found is not None:
        return found[1]
    return next((soc.name for soc in SOCS.values() if phone in soc.phones), None)


def parse_socs(text: str) -> tuple[str, ...]:
    """Names of chips, each once, from a list with commas of their names, what they are sold as, or phones.

    Raises:
        UnknownSocError: one is unknown; the message has the nearest names.
    """
    found = [_soc_of(word.strip()).name for word in text.split(",")]
    return tuple(dict.fromkeys(found))


def _soc_of(word: str) -> Soc:
    known = {alias.lower(): soc for soc in SOCS.values() for alias in (soc.name, soc.title, *soc.phones)}
    soc = known.get(word.lower())
    if soc is not None:
        return soc
    near = difflib.get_close_matches(word.lower(), known, n=3)
    names = choices(dict.fromkeys(known[each].name for each in near)) if near else choices(SOCS)
    raise UnknownSocError(
        f"there is no chip or phone {word!r} with an NPU that graphs can be prepared for",
        fix=f"choose {'among those that are near' if near else 'among'}: {names}",
    )
