"""Chips by their names, what they are sold as, and phones."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from pocketclip.export.errors import UnknownSocError
from pocketclip.export.npu.makers import MAKERS
from pocketclip.export.npu.socs import CHIPS, DEFAULT_SOCS, SOCS, chip_name, chips_of, chosen_chips, parse_socs
from pocketclip.export.precision import NPU_TARGETS, TargetName

TITLES = {chip.title for chip in CHIPS.values()}


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("sm8650", ("SM8650",)),
        ("Snapdragon 8 Elite", ("SM8750",)),
        ("mt6991,Dimensity 9300,MediaTek Dimensity 9500", ("MT6991", "MT6989", "MT6993")),
        ("tensor-g5,Tensor_G4,Google Tensor G3,pixel8", ("Tensor_G5", "Tensor_G4", "Tensor_G3")),
        ("e9965,exynos-2600", ("E9965",)),
        ("galaxy-s24, SM8550,galaxy-s24-ultra", ("SM8650", "SM8550")),
    ],
)
def test_names_in_any_form_each_once(words: str, names: tuple[str, ...]) -> None:
    assert parse_socs(words) == names


def test_an_unknown_chip_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownSocError, match=r"no chip or phone 'sm8651'.*choose among those that are near: SM8650"):
        parse_socs("sm8650,sm8651")
    with pytest.raises(UnknownSocError, match=r"'dimensity 9401'.*near: MT6991"):
        parse_socs("dimensity 9401")
    with pytest.raises(UnknownSocError, match=r"choose among: SM8450, .*SM8750.*MT6991.*Tensor_G5.*E9965"):
        parse_socs("walkman")


def test_phones_are_those_of_the_device_table() -> None:
    import pocketclip.benchmark

    table = tomllib.loads(Path(str(pocketclip.benchmark.__file__)).with_name("devices.toml").read_text())
    for chip in CHIPS.values():
        for phone in chip.phones:
            assert table[phone]["soc"].removesuffix(" for Galaxy") == chip.title
    assert {phone for chip in CHIPS.values() for phone in chip.phones} == {
        name for name, entry in table.items() if entry.get("soc", "").removesuffix(" for Galaxy") in TITLES
    }


def test_defaults_are_in_the_table() -> None:
    assert set(DEFAULT_SOCS) <= set(SOCS)
    assert all(set(maker.defaults) <= set(maker.chips) for maker in MAKERS.values())


def test_each_target_takes_the_chips_of_its_maker() -> None:
    asked = parse_socs("sm8650,mt6991,tensor-g5")
    assert chosen_chips(TargetName.ONNX_QNN, asked) == ("SM8650",)
    assert chosen_chips(TargetName.TFLITE_MEDIATEK, asked) == ("MT6991",)
    assert chosen_chips(TargetName.TFLITE_SAMSUNG, asked) == ()
    for target in NPU_TARGETS:
        assert chosen_chips(target, None) and set(chosen_chips(target, None)) <= set(chips_of(target))


@pytest.mark.parametrize("target", MAKERS)
def test_chips_are_those_of_litert(target: TargetName) -> None:
    maker = MAKERS[target]
    name = f"ai_edge_litert.aot.vendors.{maker.plugin}.target"
    theirs = pytest.importorskip(name, reason="LiteRT is not installed")
    assert {chip.name for chip in maker.chips.values()} <= {model.value for model in theirs.SocModel}
    assert theirs.SocManufacturer(maker.name)
    for chip in maker.chips.values():
        if chip.generation is not None:
            assert theirs.map_soc_to_np_version(theirs.SocModel(chip.name)) == chip.generation


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
