"""Making the emulated phone: what it is made of, and what a machine may lack. No QEMU runs here."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import pytest

from pocketclip.benchmark.arm64 import root
from pocketclip.benchmark.arm64.pins import PINS
from pocketclip.benchmark.errors import EmulatorError

REPOSITORY = Path(__file__).parents[3]

FakeTool = Callable[[str, str], Path]


@pytest.fixture
def fake_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeTool:
    """Puts a shell script of that name first on the path."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def make(name: str, script: str) -> Path:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return make


@pytest.fixture
def suitable_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(sys, "platform", "linux")


@pytest.mark.parametrize("name", [field.name for field in fields(PINS)])
def test_every_pin_makes_another_root(name: str) -> None:
    value = getattr(PINS, name)
    if isinstance(value, dict):
        first = next(iter(value))
        changed = value | {first: value[first] + "1"}
    else:
        changed = (*value, "more") if isinstance(value, tuple) else value + "1"
    assert replace(PINS, **{name: changed}).key != PINS.key
    assert replace(PINS, **{name: value}).key == PINS.key


@pytest.mark.parametrize("name", ["ai-edge-litert", "numpy", "onnxruntime"])
def test_phone_has_the_versions_of_this_machine(name: str) -> None:
    pinned = dict(re.findall(r"^([a-z0-9-]+)==([^ ;]+)", (REPOSITORY / "constraints.txt").read_text(), re.MULTILINE))
    assert PINS.wheels[name] == pinned[name], "change benchmark/arm64/pins.py with constraints.txt"


def test_cache_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETCLIP_CACHE", str(tmp_path / "own"))
    assert root.root_folder() == tmp_path / "own" / f"arm64-{PINS.key}"
    monkeypatch.delenv("POCKETCLIP_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert root.root_folder().parent == tmp_path / "xdg" / "pocketclip"


def test_other_systems_are_told(monkeypatch: pytest.MonkeyPatch, suitable_host: None) -> None:
    root.check_host()
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(EmulatorError, match="Linux on x86-64; this is darwin on arm64"):
        root.check_host()


def test_root_is_asked_for(monkeypatch: pytest.MonkeyPatch, suitable_host: None, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(EmulatorError, match=r"needs root, for chroot; run it as root, e\.g\. `sudo"):
        root.ensure_root(print, tmp_path)


def test_missing_tools_are_named_together(monkeypatch: pytest.MonkeyPatch, suitable_host: None, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EmulatorError, match=r"needs mmdebstrap and gcc; .* apt-get install mmdebstrap"):
        root.ensure_root(print, tmp_path / "cache")


def test_a_failed_download_leaves_no_root(fake_tool: FakeTool, suitable_host: None, tmp_path: Path) -> None:
    fake_tool("gcc", "exit 0")
    fake_tool("mmdebstrap", 'for last; do :; done; touch "$last/half"; echo "E: no route to the archive" >&2; exit 25')
    cache = tmp_path / "cache"
    with pytest.raises(EmulatorError, match="cannot fetch Debian trixie for arm64: E: no route to the archive; check"):
        root.ensure_root(print, cache)
    assert [path for path in cache.iterdir() if path.is_dir()] == []


def test_a_root_in_the_cache_is_taken_as_it_is(fake_tool: FakeTool, suitable_host: None, tmp_path: Path) -> None:
    folder = root.root_folder(tmp_path)
    (folder / "qemu").mkdir(parents=True)
    fake_tool("mmdebstrap", "exit 25")
    # It stands for the compiler, whose output is named by the argument after -o.
    fake_tool("gcc", 'while [ "$1" != -o ]; do shift; done; echo built > "$2"')
    said: list[str] = []
    assert root.ensure_root(said.append, tmp_path).root == folder
    assert said == []
    (plugin,) = (folder / "qemu").iterdir()
    assert plugin.read_text() == "built\n"
    # Built once for one source.
    fake_tool("gcc", "exit 1")
    root.ensure_root(said.append, tmp_path)


def test_a_compiler_that_fails_is_quoted(fake_tool: FakeTool, tmp_path: Path) -> None:
    fake_tool("gcc", "echo 'count.c:1: fatal error: stdio.h: No such file' >&2; exit 1")
    with pytest.raises(EmulatorError, match=r"cannot build the counting plugin: count\.c:1: fatal error.*libc6-dev"):
        root.build_plugin(tmp_path / "count.so")
    assert not (tmp_path / "count.so").exists()


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_the_plugin_builds_without_a_warning(tmp_path: Path) -> None:
    command = ["gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-o", str(tmp_path / "count.so")]
    built = subprocess.run([*command, str(root.PLUGIN_SOURCE)], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    root.build_plugin(tmp_path / "own.so")
    assert (tmp_path / "own.so").read_bytes()[:4] == b"\x7fELF"
