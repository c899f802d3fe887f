"""Chips by their names, what they are sold as, and phones."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from pocketclip.export.errors import UnknownSocError
from pocketclip.export.npu.socs import DEFAULT_SOCS, SOCS, chip_name, parse_socs


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("sm8650", ("SM8650",)),
        ("Snapdragon 8 Elite", ("SM8750",)),
        ("galaxy-s24, SM8550,galaxy-s24-ultra", ("SM8650", "SM8550")),
    ],
)
def test_names_in_any_form_each_once(words: str, names: tuple[str, ...]) -> None:
    assert parse_socs(words) == names


def test_an_unknown_chip_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownSocError, match=r"no chip or phone 'sm8651'.*choose among those that are near: SM8650"):
        parse_socs("sm8650,sm8651")
    with pytest.raises(UnknownSocError, match=r"choose among: SM8450, .*SM8750"):
        parse_socs("pixel8")


def test_phones_are_those_of_the_device_table() -> None:
    import pocketclip.benchmark

    table = tomllib.loads(Path(str(pocketclip.benchmark.__file__)).with_name("devices.toml").read_text())
    for soc in SOCS.values():
        for phone in soc.phones:
            assert table[phone]["soc"].removesuffix(" for Galaxy") == soc.title


def test_defaults_are_in_the_table() -> None:
    assert set(DEFAULT_SOCS) <= set(SOCS)


@pytest.mark.parametrize(
    ("told", "phone", "name"),
    [
        ("SM8650", None, "SM8650"),
        (" SM8650-AC\n", "galaxy-s25", "SM8650"),
        ("SM8750P", None, "SM8750P"),
        ("s5e9945", "pixel7", None),
        (None, "galaxy-s24", "SM8650"),
        ("kalama; rm -rf /", "galaxy-s23", "SM8550"),
        ("this computer", None, None),
    ],
)
def test_a_phones_chip_from_what_it_tells(told: str | None, phone: str | None, name: str | None) -> None:
    assert chip_name(told, phone) == name
