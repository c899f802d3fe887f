"""Seeded damage: the same seed gives the same mutation of the same content, on every computer.

`mutated` damages bytes, `mutated_json` a value that JSON can hold; each returns what it was given in another form and
leaves the original alone. `damage_file` does it to a file, or to one file of a folder.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Lengths, counts and offsets that readers believe.
_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 2**63 - 1, 2**64 - 1)
_MOST_FLIPS = 8
_LONGEST_PIECE = 64

Mutation = Callable[[bytearray, random.Random], None]


def mutated(content: bytes, seed: int) -> bytes:
    """The content with one to three damages, each of a random kind at a random place."""
    chance = random.Random(seed)
    damaged = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 3))):
        chance.choice(MUTATIONS)(damaged, chance)
    return bytes(damaged)


def flip_bits(content: bytearray, chance: random.Random) -> None:
    for _ in range(chance.randint(1, _MOST_FLIPS) if content else 0):
        content[_place(content, chance)] ^= 1 << chance.randrange(8)


def write_number(content: bytearray, chance: random.Random) -> None:
    """A number of 1 to 8 bytes, little-endian, as most formats have them."""
    width = chance.choice((1, 2, 4, 8))
    if len(content) >= width:
        at = min(_place(content, chance), len(content) - width)
        content[at : at + width] = (chance.choice(_NUMBERS) & ((1 << 8 * width) - 1)).to_bytes(width, "little")


def truncate(content: bytearray, chance: random.Random) -> None:
    del content[chance.randint(0, len(content)) :]


def remove_piece(content: bytearray, chance: random.Random) -> None:
    at = _place(content, chance)
    del content[at : at + chance.randint(1, _LONGEST_PIECE)]


def repeat_piece(content: bytearray, chance: random.Random) -> None:
    at = _place(content, chance)
    content[at:at] = content[at : at + chance.randint(1, _LONGEST_PIECE)]


def splice(content: bytearray, chance: random.Random) -> None:
    """A piece of the content over another one."""
    source, at = _place(content, chance), _place(content, chance)
    piece = content[source : source + chance.randint(1, _LONGEST_PIECE)]
    content[at : at + len(piece)] = piece


def insert_noise(content: bytearray, chance: random.Random) -> None:
    at = _place(content, chance)
    content[at:at] = chance.randbytes(chance.randint(1, _LONGEST_PIECE))


MUTATIONS: tuple[Mutation, ...] = (
    flip_bits,
    write_number,
    write_number,
    truncate,
    remove_piece,
    repeat_piece,
    splice,
    insert_noise,
)


def _place(content: bytearray, chance: random.Random) -> int:
    """Anywhere, and half of the time near one of the ends, where headers and indices stand."""
    if len(content) < 2:
        return 0
    near = min(len(content), 512)
    return chance.choice(
        (
            chance.randrange(len(content)),
            chance.randrange(len(content)),
            chance.randrange(near),
            len(content) - 1 - chance.randrange(near),
        )
    )


_VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1,
    2**31,
    2**63,
    -(2**63),
    10**30,
    0.5,
    -0.0,
    1e308,
    "",
    " ",
    "..",
    "../../x",
    "/etc/x",
    "C:\\x",
    "a\0b",
    "a\nb",
    "\x1b[2J",
    "[red]",
    "=1+1",
    "'; DROP TABLE records; --",
    "pipe:true",
    "\ud800",
    "\u202e",
    "x" * 10_000,
    [],
    {},
    [[[[[[[[[[]]]]]]]]]],
)


_EXTREMES = (0, -1, 2**31, 2**53, 2**63, 10**59, 10**400, 0.5, 1e-320, -1e308, float("nan"), float("inf"))
_DEEP = 5000


def mutated_json(value: Any, seed: int) -> Any:
    """The value with one to three places set to something else, left out, repeated or renamed."""
    chance = random.Random(seed)
    damaged = copy.deepcopy(value)
    for _ in range(chance.choice((1, 1, 2, 3))):
        places = list(_places(damaged))
        if not places:
            return chance.choice(_VALUES)
        container, key = chance.choice(places)
        change = chance.randrange(4)
        if change == 0 and isinstance(container, dict):
            del container[key]
        elif change == 0:
            container.insert(key, copy.deepcopy(container[key]))
        elif change == 1 and isinstance(container, dict):
            container[chance.choice(("", "..", "x" * 300, f"{key} "))] = container.pop(key)
        else:
            container[key] = copy.deepcopy(chance.choice(_VALUES))
    return damaged


def mutated_json_text(content: bytes, seed: int) -> bytes:
    """JSON text whose value is mutated; sometimes it is too deep, has a key twice, or is damaged as bytes."""
    chance = random.Random(seed)
    change = chance.randrange(20)
    if change == 0:
        return mutated(content, seed)
    if change == 1:
        return b"[" * _DEEP + b"]" * _DEEP
    value = mutated_json(json.loads(content), seed)
    if change < 10:
        # Only what types do not catch: numbers and texts stay what they are.
        value = json.loads(content)
        places = [(each, key) for each, key in _places(value) if isinstance(each[key], str | int | float)]
        for container, key in chance.sample(places, min(len(places), chance.choice((1, 1, 2, 3)))):
            container[key] = _of_the_same_type(container[key], chance)
    text = json.dumps(value)
    if change == 10 and isinstance(value, dict) and value:
        text = "{" + f"{json.dumps(next(iter(value)))}: 1, " + text[1:]
    return text.encode()


def _of_the_same_type(value: str | int | float, chance: random.Random) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        hostile = chance.choice([each for each in _VALUES if isinstance(each, str)])
        return chance.choice((hostile, value + hostile, value[:-1], value.upper(), f"../{value}"))
    return chance.choice((*_EXTREMES, value + 1, -value, value * 1000))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every key of every object and every index of every list, with what it lies in."""
    entries: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        entries = list(value.items())
    elif isinstance(value, list):
        entries = list(enumerate(value))
    for key, inner in entries:
        yield value, key
        yield from _places(inner)


def damage_file(path: Path, seed: int) -> Path:
    """Damages a file in place; of a folder one of its files, by the seed. Gives the path of the damaged one."""
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    chosen = files[random.Random(seed).randrange(len(files))]
    chosen.write_bytes(mutated(chosen.read_bytes(), seed))
    return chosen
