"""What users write for options of measuring: durations, shares, numbers of threads, sets of cores, accelerators."""

from __future__ import annotations

import re

from pocketclip.benchmark.errors import OptionError
from pocketclip.benchmark.records.accelerators import ACCELERATORS
from pocketclip.benchmark.records.fields import LONGEST_NAME
from pocketclip.models.errors import choices
from pocketclip.models.untrusted.printable import printable_line

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration_s(option: str, text: str) -> float:
    """Seconds of `90s`, `10m`, `1h` or `1h30m`.

    Raises:
        OptionError: it is none, or not positive.
    """
    if re.fullmatch(r"(\d+(\.\d+)?[smh])+", text):
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in re.findall(r"(\d+(?:\.\d+)?)([smh])", text))
        if seconds > 0:
            return seconds
    raise OptionError(f"{option} takes a duration above zero such as 90s, 10m or 1h30m, got {text!r}")


def parse_share(option: str, text: str) -> float:
    """The share that `1%` or `0.01` is.

    Raises:
        OptionError: it is none, or not between 0 and 1.
    """
    number = text.removesuffix("%")
    try:
        share = float(number) / (100 if number != text else 1)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise OptionError(f"{option} takes a share between 0 and 1 such as 1% or 0.01, got {text!r}")
    return share


def parse_threads(text: str, logical_cores: int) -> tuple[int, ...]:
    """Numbers of threads in `1,2,all`, each once; `all` is one for each core.

    Raises:
        OptionError: a part is no number above zero and not `all`.
    """
    found: list[int] = []
    for part in text.split(","):
        number = str(logical_cores) if part.strip() == "all" else part.strip()
        if not number.isdecimal() or int(number) < 1:
            raise OptionError(f"--threads takes comma-separated positive numbers or `all`, got {text!r}")
        found.append(int(number))
    return tuple(dict.fromkeys(found))


def parse_cores(text: str, logical_cores: int) -> tuple[int, ...]:
    """The cores in `0-3,6`, in order.

    Raises:
        OptionError: a part is no core and no range, or the device has no such core.
    """
    cores: set[int] = set()
    for part in text.split(","):
        matched = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        if matched is None:
            raise OptionError(f"--cores takes cores and ranges such as 0-3,6, got {text!r}")
        first = int(matched[1])
        last = int(matched[2]) if matched[2] else first
        if not first <= last < logical_cores:
            raise OptionError(f"--cores {text!r}: the device has the cores 0 to {logical_cores - 1}, not {part!r}")
        cores.update(range(first, last + 1))
    return tuple(sorted(cores))


def parse_tag(text: str) -> str:
    """A name for records, as every database can keep it: shown in tables, and found again by its text.

    Raises:
        OptionError: it is empty, too long, or holds what no terminal shows.
    """
    fault = None
    if not text.strip():
        fault = "it is empty"
    elif len(text) > LONGEST_NAME:
        fault = f"it has {len(text)} characters"
    elif printable_line(text) != text:
        fault = "it holds line breaks, control or invisible characters"
    if fault is not None:
        raise OptionError(
            f"--tag takes a name of 1 to {LONGEST_NAME} visible characters, got {printable_line(text)[:40]!r}: {fault}"
        )
    return text


def parse_accelerator(text: str) -> str:
    """An accelerator that some device has.

    Raises:
        OptionError: none of that name is known.
    """
    if text not in ACCELERATORS:
        raise OptionError(f"--accelerator {text!r} is unknown", fix=f"choose among: {choices(ACCELERATORS)}")
    return text
