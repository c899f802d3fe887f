"""A phone is put back as it was, whatever becomes of this computer's disk meanwhile."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pocketclip.benchmark.errors import TransportError
from pocketclip.benchmark.phone_app.steady import steady, undo_file
from pocketclip.benchmark.transport.base import Execution
from pocketclip.benchmark.transport.client import Ended
from pocketclip.benchmark.transport.shell import ShellTransport

_ANSWERS = {
    "dumpsys power": "mWakefulness=Asleep",
    "dumpsys trust": "User 0: deviceLocked=0",
    "settings get global stay_on_while_plugged_in": "0",
}


class Phone(ShellTransport):
    """Keeps the lines of its shell that changed something."""

    def __init__(self) -> None:
        super().__init__("phone")
        self.changes: list[str] = []

    def shell(self, line: str, *, timeout_seconds: float | None = None) -> Execution:
        if line not in _ANSWERS:
            self.changes.append(line)
        return Execution(0, _ANSWERS.get(line, ""), "")

    def _run_line(self, line: str, timeout_seconds: float) -> Ended:
        raise NotImplementedError

    def _send(self, local: Path, remote: str, timeout_seconds: float) -> None:
        raise NotImplementedError

    def _receive(self, remote: str, local: Path, timeout_seconds: float) -> None:
        raise NotImplementedError

    def _fault(self, words: str, what: str) -> TransportError:
        raise NotImplementedError

    def reconnect(self) -> None:
        raise NotImplementedError


def _no_room(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_leaves_no_phone_changed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("POCKETCLIP_CACHE", str(tmp_path))
    phone, said = Phone(), list[str]()
    with steady(phone, "serial", 34, said.append):
        assert undo_file("serial").is_file()
        phone.changes.clear()
        monkeypatch.setattr(os, "fsync", _no_room)
    assert phone.changes == [
        "cmd power set-fixed-performance-mode-enabled false",
        "settings put global stay_on_while_plugged_in 0",
        "input keyevent KEYCODE_SLEEP",
    ]
    assert not undo_file("serial").exists()
    (fault,) = said
    assert "could not be kept up" in fault and "No space left on device" in fault
