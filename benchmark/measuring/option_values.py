"""What users give for options of measuring: durations, shares, numbers of threads, sets of cores, accelerators.

Each is words, as on the command line, or a Python value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta

from pocketclip.benchmark.errors import OptionError
from pocketclip.benchmark.records.accelerators import ACCELERATORS
from pocketclip.benchmark.records.fields import LONGEST_NAME, MOST_SECONDS
from pocketclip.models.errors import choices
from pocketclip.models.untrusted.numbers import MOST_COUNT, parse_whole
from pocketclip.models.untrusted.printable import printable_line

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration_s(option: str, given: str | float | timedelta) -> float:
    """Seconds of `90s`, `10m`, `1h` or `1h30m`, or of a number of seconds.

    Raises:
        OptionError: it is none, not positive, or longer than records hold.
    """
    seconds = 0.0
    if isinstance(given, timedelta):
        seconds = given.total_seconds()
    elif isinstance(given, str):
        if re.fullmatch(r"(\d+(\.\d+)?[smh])+", given):
            parts = re.findall(r"(\d+(?:\.\d+)?)([smh])", given)
            seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    else:
        seconds = given
    if 0 < seconds <= MOST_SECONDS:
        return seconds
    raise OptionError(
        f"{option} takes a duration above zero such as 90s, 10m or 1h30m, up to {MOST_SECONDS:,.0f} seconds, "
        f"got {given!r}"
    )


def parse_share(option: str, given: str | float) -> float:
    """The share that `1%`, `0.01` or a number is.

    Raises:
        OptionError: it is none, or not between 0 and 1.
    """
    if isinstance(given, str):
        number = given.removesuffix("%")
        try:
            share = float(number) / (100 if number != given else 1)
        except ValueError:
            share = 0.0
    else:
        share = given
    if not 0 < share < 1:
        raise OptionError(f"{option} takes a share between 0 and 1 such as 1% or 0.01, got {given!r}")
    return share


def parse_threads(
    given: str | int | Sequence[str | int], logical_cores: int, option: str = "--threads"
) -> tuple[int, ...]:
    """Numbers of threads in `1,2,all`, each once; `all` is one for each core. Also a number, or several.

    Raises:
        OptionError: a part is no number above zero and not `all`.
    """
    found: list[int] = []
    for part in _parts(given):
        number = str(logical_cores) if part == "all" else part
        threads = parse_whole(number)
        if threads is None or not 1 <= threads <= MOST_COUNT:
            raise OptionError(f"{option} takes comma-separated positive numbers or `all`, got {_words(given)!r}")
        found.append(threads)
    if not found:
        raise OptionError(f"{option} takes comma-separated positive numbers or `all`, got none")
    return tuple(dict.fromkeys(found))


def parse_cores(given: str | int | Sequence[str | int], logical_cores: int) -> tuple[int, ...]:
    """The cores in `0-3,6`, in order. Also a number, or several.

    Raises:
        OptionError: a part is no core and no range, or the device has no such core.
    """
    cores: set[int] = set()
    for part in _parts(given):
        matched = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", part)
        if matched is None:
            raise OptionError(f"--cores takes cores and ranges such as 0-3,6, got {_words(given)!r}")
        first = int(matched[1])
        last = int(matched[2]) if matched[2] else first
        if not first <= last < logical_cores:
            raise OptionError(
                f"--cores {_words(given)!r}: the device has the cores 0 to {logical_cores - 1}, not {part!r}"
            )
        cores.update(range(first, last + 1))
    if not cores:
        raise OptionError("--cores takes cores and ranges such as 0-3,6, got none")
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


def _parts(given: str | int | Sequence[str | int]) -> list[str]:
    words = _words(given)
    return [part.strip() for part in words.split(",")] if words else []


def _words(given: str | int | Sequence[str | int]) -> str:
    return given if isinstance(given, str) else ",".join(str(each) for each in _sequence(given))


def _sequence(given: int | Sequence[str | int]) -> Sequence[str | int]:
    return [given] if isinstance(given, int) else given
