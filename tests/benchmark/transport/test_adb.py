"""What adb says and what it means: messages of real versions, by a program that stands in for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pocketclip.benchmark.errors import (
    AmbiguousDeviceError,
    DeviceDisconnectedError,
    DeviceFullError,
    DeviceNotFoundError,
    DeviceOfflineError,
    DeviceUnauthorizedError,
    MissingProgramError,
    TransportError,
    TransportTimeoutError,
)
from pocketclip.benchmark.transport.adb import AdbDevice, AdbTransport, adb_connect, adb_devices, parse_adb_devices
from pocketclip.benchmark.transport.shell import split_ending

FakeAdb = Callable[[str], str]

LISTED = """* daemon not running; starting now at tcp:5037
* daemon started successfully
List of devices attached
2A061JEGR09301         device usb:1-2 product:panther model:Pixel_7 device:panther transport_id:4
R5CT1234ABC            unauthorized usb:1-3 transport_id:5
emulator-5554          offline transport_id:6
0123456789             no permissions (user in plugdev group; are your udev rules wrong?); see [http://x.y/z]
192.168.1.5:5555       device product:dm1q model:SM_S911B device:dm1q transport_id:7

"""


def test_the_list_of_devices_is_read() -> None:
    assert parse_adb_devices(LISTED) == [
        AdbDevice("2A061JEGR09301", "device", "Pixel 7"),
        AdbDevice("R5CT1234ABC", "unauthorized", None),
        AdbDevice("emulator-5554", "offline", None),
        AdbDevice("0123456789", "no permissions", None),
        AdbDevice("192.168.1.5:5555", "device", "SM S911B"),
    ]
    assert parse_adb_devices("List of devices attached\n\n") == []
    assert parse_adb_devices("") == []


@pytest.mark.parametrize(
    ("words", "kind", "exit_code"),
    [
        ("error: device 'X' not found", DeviceDisconnectedError, 15),
        ("error: no devices/emulators found", DeviceNotFoundError, 11),
        ("error: device offline", DeviceOfflineError, 13),
        ("error: device unauthorized.\nThis adb server's $ADB_VENDOR_KEYS is not set", DeviceUnauthorizedError, 12),
        ("error: more than one device/emulator", AmbiguousDeviceError, 14),
        ("error: closed", DeviceDisconnectedError, 15),
        ("* cannot connect to daemon", DeviceOfflineError, 13),
    ],
)
def test_messages_have_an_error_and_an_exit_code(
    fake_adb: FakeAdb, tmp_path: Path, words: str, kind: type[TransportError], exit_code: int
) -> None:
    transport = AdbTransport("X", "pixel7", program=fake_adb(f"cat >&2 <<'END'\n{words}\nEND\nexit 1"))
    with pytest.raises(kind, match="pixel7") as caught:
        transport.shell("true")
    assert type(caught.value) is kind
    assert caught.value.exit_code == exit_code
    assert caught.value.code


def test_exit_code_0_without_an_ending_is_a_broken_connection(fake_adb: FakeAdb) -> None:
    # What adb does where adbd is killed in the middle of a shell.
    transport = AdbTransport("X", "pixel7", program=fake_adb("echo half of the out; exit 0"))
    with pytest.raises(DeviceDisconnectedError, match="pixel7 disconnected"):
        transport.execute(["true"], folder="/tmp", timeout_seconds=10)


def test_an_ending_of_another_call_is_none() -> None:
    assert split_ending("out\n\nPOCKETCLIP-ENDED abc 0\n", "abc") == ("out\n", 0)
    assert split_ending("out\nPOCKETCLIP-ENDED abc 139\n", "abc") == ("out", 139)
    for cut in ("out", "out\n\nPOCKETCLIP-ENDED abd 0\n", "\nPOCKETCLIP-ENDED abc 13", "\nPOCKETCLIP-ENDED abc \n"):
        assert split_ending(cut, "abc") == (cut, None)


# A device that is this machine: `adb -s X shell LINE`, `push`, `pull`.
HERE = """shift 2
case "$1" in
  shell) sh -c "$2" ;;
  push) cp "$2" "$3" ;;
  pull) cp "$2" "$3" ;;
  get-state) echo device ;;
esac
"""


def test_a_device_that_works(fake_adb: FakeAdb, tmp_path: Path) -> None:
    transport = AdbTransport("X", "pixel7", program=fake_adb(HERE))
    (tmp_path / "tree" / "deep").mkdir(parents=True)
    (tmp_path / "tree" / "deep" / "it's").write_text("content")
    with transport.workspace(str(tmp_path)) as folder:
        transport.push(tmp_path / "tree", f"{folder}/there")
        transport.pull(f"{folder}/there/deep/it's", tmp_path / "back")
        execution = transport.execute(["sh", "-c", 'echo "$0" $PWD', "a 'b' $c"], folder=folder, timeout_seconds=10)
        assert execution.stdout == f"a 'b' $c {folder}\n"
    assert (tmp_path / "back").read_text() == "content"
    assert not Path(folder).exists()


def test_a_device_without_sha256sum_is_compared_by_length(fake_adb: FakeAdb, tmp_path: Path) -> None:
    script = HERE.replace('sh -c "$2"', 'sh -c "$(echo "$2" | sed \'s/sha256sum/no-such-sum/g\')"')
    transport = AdbTransport("X", "pixel7", program=fake_adb(script))
    (tmp_path / "file").write_text("content")
    transport.push(tmp_path / "file", f"{tmp_path}/there")
    transport.pull(f"{tmp_path}/there", tmp_path / "back")
    cutting = AdbTransport("X", "pixel7", program=fake_adb(script.replace('cp "$2" "$3"', 'head -c 3 "$2" > "$3"')))
    with pytest.raises(TransportError, match="arrived truncated on its way"):
        cutting.push(tmp_path / "file", f"{tmp_path}/there")


def test_no_space(fake_adb: FakeAdb, tmp_path: Path) -> None:
    full = "echo 'adb: error: failed to copy: remote write failed: No space left on device' >&2; exit 1"
    transport = AdbTransport("X", "pixel7", program=fake_adb(HERE.replace('push) cp "$2" "$3"', f"push) {full}")))
    (tmp_path / "file").write_text("content")
    with pytest.raises(DeviceFullError, match="no space left; free some") as caught:
        transport.push(tmp_path / "file", f"{tmp_path}/there")
    assert caught.value.exit_code == 16


def test_a_device_that_does_not_answer(fake_adb: FakeAdb, tmp_path: Path) -> None:
    transport = AdbTransport("X", "pixel7", program=fake_adb("sleep 60"))
    transport.short_seconds = 0.2
    (tmp_path / "file").write_text("content")
    with pytest.raises(TransportTimeoutError, match=r"did not make .* within 0\.2 s"):
        transport.push(tmp_path / "file", f"{tmp_path}/there/file")


def test_no_adb(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingProgramError, match="apt-get install adb") as caught:
        adb_devices(program="no-such-adb")
    assert caught.value.exit_code == 10


def test_connecting_believes_the_list_alone(fake_adb: FakeAdb) -> None:
    # adb 29 ends with 0 where it could not connect, and calls an offline device connected.
    failing = fake_adb(
        'case "$1" in connect) echo failed to connect to 1.2.3.4:5555;; devices) echo List of devices attached;; esac'
    )
    with pytest.raises(DeviceNotFoundError, match=r"no adbd answers at 1\.2\.3\.4:5555: adb says 'failed to connect"):
        adb_connect("1.2.3.4:5555", program=failing)
    offline = fake_adb(
        'case "$1" in connect) echo already connected to 1.2.3.4:5555;;\n'
        "devices) printf 'List of devices attached\\n1.2.3.4:5555 offline transport_id:1\\n';; esac"
    )
    with pytest.raises(DeviceNotFoundError, match="already connected"):
        adb_connect("1.2.3.4:5555", program=offline)
