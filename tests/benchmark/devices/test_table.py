"""The table of devices: ours is whole, the user's is laid over it, mistakes are worded with file and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from pocketclip.benchmark.devices.table import BUILT_IN, CoreCluster, TransportName, find_entry, load_table, user_table
from pocketclip.benchmark.errors import DeviceTableError, UnknownDeviceError

CORES = {"Google Tensor": 8, "Google Tensor G2": 8, "Google Tensor G3": 9, "Google Tensor G4": 8}


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "devices.toml"


def test_ours_has_every_kind() -> None:
    table = load_table(BUILT_IN)
    assert {entry.transport for entry in table.values()} == set(TransportName)
    assert {"host", "emulator-arm64", "pixel7", "galaxy-s22", "galaxy-s25", "iphone13", "iphone17-pro"} <= set(table)
    assert table["raspberry-pi-5"].cores == (CoreCluster(4, "Cortex-A76"),)
    for entry in table.values():
        if entry.soc in CORES:
            assert sum(cluster.count for cluster in entry.cores) == CORES[entry.soc], entry.name
        if entry.transport is TransportName.IOS:
            assert sum(cluster.count for cluster in entry.cores) == 6
    products = [product for entry in table.values() for product in entry.match.products]
    assert len(set(products)) == len(products), "an iPhone fits two entries"


def test_no_phone_fits_two_entries() -> None:
    phones = [entry for entry in load_table(BUILT_IN).values() if entry.transport is TransportName.ADB]
    for model in (
        "Pixel 7",
        "Pixel_7",
        "Pixel 7 Pro",
        "Pixel 9 Pro XL",
        "SM-S901B",
        "SM S911U",
        "SM-S921N",
        "SM-S938B",
    ):
        fitting = [entry.name for entry in phones if entry.match.fits("serial", model)]
        assert len(fitting) == 1, (model, fitting)
    models = [model for entry in phones for model in entry.match.models]
    products = [product for entry in load_table(BUILT_IN).values() for product in entry.match.products]
    assert len(models) == len(set(models)) and len(products) == len(set(products))


def test_the_users_table_changes_keys_and_adds_devices(own: Path) -> None:
    own.write_text(
        '[pixel7]\npython = "/data/python3"\nmatch = { serial = "ABC" }\n'
        '[bench-pi]\ntransport = "ssh"\nmatch = { host = "pi@10.0.0.2" }\nssh = ["-p", "2222"]\n'
    )
    table = load_table(own)
    pixel = table["pixel7"]
    assert (pixel.python, pixel.soc, pixel.title) == ("/data/python3", "Google Tensor G2", "Google Pixel 7")
    assert pixel.match.fits("ABC", None) and not pixel.match.fits("ABD", "Pixel 7")
    assert (table["bench-pi"].title, table["bench-pi"].ssh) == ("bench-pi", ("-p", "2222"))
    assert list(table)[:2] == ["host", "emulator-arm64"]


def test_where_the_users_table_is(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POCKETCLIP_DEVICES", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert user_table() is None
    usual = tmp_path / "config" / "pocketclip" / "devices.toml"
    usual.parent.mkdir(parents=True)
    usual.write_text('[mine]\ntransport = "local"\n')
    assert "mine" in load_table()
    own.write_text('[other]\ntransport = "local"\n')
    monkeypatch.setenv("POCKETCLIP_DEVICES", str(own))
    assert "other" in load_table() and "mine" not in load_table()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[pixel7", "is not TOML"),
        ("pixel7 = 3", "pixel7 = 3 does not belong to a device; start with a line like"),
        ('[a]\ntransport = "usb"', "device 'a' is not a valid DeviceEntry: transport: Input should be 'local'"),
        ("[a]\n", "device 'a' is not a valid DeviceEntry: transport: Field required"),
        ('[pixel7]\nsock = "x"', "device 'pixel7' is not a valid DeviceEntry: sock: "),
        ('[pixel7]\nmatch = { models = "Pixel 7" }', "match.models: "),
        ('[pixel7]\ncores = [{ count = 0, core = "A" }]', "cores.0.count: Input should be greater than or equal to 1"),
        ('[a]\ntransport = "adb"', "match needs models or serial with transport 'adb'"),
        ('[a]\ntransport = "ssh"', "match needs host with transport 'ssh'"),
        ('[a]\ntransport = "ios"', "match needs products or udid"),
    ],
)
def test_mistakes_name_file_and_key(own: Path, text: str, words: str) -> None:
    own.write_text(text)
    with pytest.raises(DeviceTableError) as caught:
        load_table(own)
    assert words in str(caught.value)
    assert str(own) in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_table_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DeviceTableError, match=r"cannot read the device table .*none\.toml: No such file"):
        load_table(tmp_path / "none.toml")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(DeviceTableError, match="is not TOML"):
        load_table(tmp_path / "binary")


@pytest.mark.parametrize(
    ("asked", "name"), [("iphone15pro", "iphone15-pro"), ("Pixel7", "pixel7"), ("pixel7", "pixel7")]
)
def test_a_name_is_found_without_its_dashes(asked: str, name: str) -> None:
    assert find_entry(asked, load_table(BUILT_IN)).name == name


def test_an_unknown_name_lists_those_that_exist() -> None:
    with pytest.raises(UnknownDeviceError, match=r"there is no device 'pixel'; did you mean pixel"):
        find_entry("pixel", load_table(BUILT_IN))
