"""`python -m tests.android_app.test_phone start|stop`: a test phone to try `bench --device test-phone` on."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pocketclip.models.errors import PocketClipError
from tests.android_app.test_phone.apk import write_apk
from tests.android_app.test_phone.bench_core import ensure_core
from tests.android_app.test_phone.phone import TestPhone, device_table, state_folder
from tests.android_app.test_phone.root import ensure_root


def main(arguments: list[str] | None = None) -> int:
    """The program."""
    parser = argparse.ArgumentParser(prog="python -m tests.android_app.test_phone", description=__doc__)
    parser.add_argument("action", choices=("start", "stop"))
    parser.add_argument("--devices", type=Path, help="write the table of devices there, instead of beside its state")
    chosen = parser.parse_args(arguments)
    try:
        return _stop() if chosen.action == "stop" else _start(chosen.devices)
    except PocketClipError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def _start(devices: Path | None) -> int:
    phone = TestPhone(ensure_root(_say), state_folder())
    phone.start()
    apk = write_apk(phone.state / "bench.apk", ensure_core(_say))
    table = devices or phone.state / "devices.toml"
    table.write_text(device_table(phone))
    print(f"pocketclip devices doctor test-phone --devices {table} --app {apk}")
    print(f"pocketclip bench --device test-phone --devices {table} --app {apk} --artifact ...")
    print(f"ADB_SERVER_SOCKET={phone.server} adb shell")
    return 0


def _stop() -> int:
    stopped = TestPhone(ensure_root(_say), state_folder()).stop()
    _say("the test phone is stopped" if stopped else "the test phone did not run")
    return 0


def _say(words: str) -> None:
    print(words, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
