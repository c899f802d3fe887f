"""Chips with an NPU that graphs can be prepared for, by their names and the phones that have them; Qualcomm's in full.

Numbers: Qualcomm's `soc_model`, as ExecuTorch 1.5.1 has them in its table of chipsets
(backends/qualcomm/serialization/qc_schema.py).
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from pocketclip.export.errors import UnknownSocError
from pocketclip.export.npu.makers import MAKERS, Chip
from pocketclip.export.precision import QNN_TARGETS, TargetName
from pocketclip.models.errors import choices


@dataclass(frozen=True)
class Soc:
    """A chip of Qualcomm's.

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

    @property
    def hexagon_version(self) -> int:
        """The number in `hexagon`."""
        return int(self.hexagon.removeprefix("v"))


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


_OTHERS: dict[str, Chip] = {name: chip for maker in MAKERS.values() for name, chip in maker.chips.items()}
CHIPS: dict[str, Soc | Chip] = {**SOCS, **_OTHERS}

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
    found = [_chip_of(word.strip()).name for word in text.split(",")]
    return tuple(dict.fromkeys(found))


def chips_of(target: TargetName) -> tuple[str, ...]:
    """Names of the chips that a target for NPUs prepares graphs for."""
    return tuple(SOCS if target in QNN_TARGETS else MAKERS[target].chips)


def chosen_chips(target: TargetName, asked: tuple[str, ...] | None) -> tuple[str, ...]:
    """Those of the chips asked for that a target for NPUs prepares graphs for; its own choice where none was named."""
    if asked is None:
        return DEFAULT_SOCS if target in QNN_TARGETS else MAKERS[target].defaults
    known = chips_of(target)
    return tuple(name for name in asked if name in known)


def _chip_of(word: str) -> Soc | Chip:
    known = {_plain(alias): chip for chip in CHIPS.values() for alias in _aliases(chip)}
    chip = known.get(_plain(word))
    if chip is not None:
        return chip
    near = difflib.get_close_matches(_plain(word), known, n=3)
    names = choices(dict.fromkeys(known[each].name for each in near)) if near else choices(CHIPS)
    raise UnknownSocError(
        f"there is no chip or phone {word!r} with an NPU that graphs can be prepared for",
        fix=f"choose {'among those that are near' if near else 'among'}: {names}",
    )


def _aliases(chip: Soc | Chip) -> tuple[str, ...]:
    """Its name, its title with and without the maker, and its phones."""
    return (chip.name, chip.title, chip.title.partition(" ")[2], *chip.phones)


def _plain(word: str) -> str:
    return re.sub(r"[\s_-]+", "-", word.lower())
