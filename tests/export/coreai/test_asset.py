"""Assets that are damaged, cut short, newer, or hold something else: one clear line each."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pocketclip.export.api import inspect
from pocketclip.export.coreai import packages
from pocketclip.export.coreai.asset import check_asset
from pocketclip.export.coreai.process import CoreAIProcess
from pocketclip.export.coreai.program import read_program
from pocketclip.export.errors import ArtifactCorruptError, ArtifactNotFoundError, TargetUnavailableError
from pocketclip.export.lint.run import lint_file
from pocketclip.export.precision import TargetName
from pocketclip.export.targets import probe

from .conftest import Convert

FOUR = torch.arange(4.0).reshape(1, 4)


class Doubled(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + x


def test_a_sound_asset_says_what_it_is(convert: Convert) -> None:
    facts = check_asset(convert(Doubled(), FOUR))
    assert facts.format == "2.0" and facts.producer.startswith("coreai-core ")


def cut(path: Path) -> None:
    program = path / "main.mlirb"
    program.write_bytes(program.read_bytes()[:-20])


def change_format(path: Path) -> None:
    metadata = path / "metadata.json"
    metadata.write_text(json.dumps({**json.loads(metadata.read_text()), "assetVersion": "3.0"}))


def other_program(path: Path) -> None:
    (path / "main.mlirb").write_bytes(b"PK\x03\x04" + bytes(100))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (cut, r"do not have the hash of main\.hash; it is cut short or damaged"),
        (
            change_format,
            r"is an asset of format 3\.0; formats up to 2\.0 are read here \(it was written by coreai-core",
        ),
        (other_program, "is no program of Core AI: its first bytes are 504b0304"),
        (lambda path: (path / "main.mlirb").unlink(), r"main\.mlirb cannot be read: No such file"),
        (lambda path: (path / "metadata.json").write_text("[1]"), r"metadata\.json is no JSON object"),
        (
            lambda path: (path / "metadata.json").write_text("{" * 100_000),
            r"metadata\.json cannot be read: it is no JSON",
        ),
        (lambda path: (path / "metadata.json").write_bytes(bytes(2_000_000)), "2,000,000 bytes; 1,048,576 are enough"),
        (lambda path: (path / "metadata.json").unlink(), r"metadata\.json cannot be read: No such file"),
    ],
)
def test_a_damaged_asset(damage: Callable[[Path], object], words: str, convert: Convert) -> None:
    path = convert(Doubled(), FOUR)
    damage(path)
    with pytest.raises(ArtifactCorruptError, match=words):
        check_asset(path)


def test_no_asset(tmp_path: Path) -> None:
    with pytest.raises(ArtifactNotFoundError, match="there is no folder"):
        check_asset(tmp_path / "model.aimodel")


def test_apples_reader_may_end_its_process(convert: Convert) -> None:
    """Where no hash tells of the damage: what opens foreign files and what runs them are processes of their own."""
    path = convert(Doubled(), FOUR)
    cut(path)
    (path / "main.hash").unlink()
    with pytest.raises(ArtifactCorruptError, match=r"cannot be read: the library that opens it crashed \(SIGABRT\)"):
        inspect(path)
    session = CoreAIProcess(path)
    with pytest.raises(ArtifactCorruptError, match=r"cannot be run: .*; it was written by coreai-core"):
        session.run([FOUR.numpy()])
    session.close()


def test_the_runtime_computes_in_a_process_of_its_own(convert: Convert) -> None:
    session = CoreAIProcess(convert(Doubled(), FOUR, half=False))
    for factor in (1, 3):
        np.testing.assert_array_equal(session.run([FOUR.numpy() * factor])[0], 2 * factor * FOUR.numpy())
    with pytest.raises(ArtifactCorruptError, match="cannot be run: "):
        session.run([np.zeros((3, 3, 3), np.float32)])
    session.close()


def test_several_functions(convert: Convert) -> None:
    path = convert(Doubled(), FOUR, half=False, entry_points=("first", "second"))
    assert [function.name for function in read_program(path).public] == ["first", "second"]
    session = CoreAIProcess(path)
    with pytest.raises(ArtifactCorruptError, match="it has 2 functions and none is called main: first, second"):
        session.run([FOUR.numpy()])
    session.close()
    shutil.rmtree(path)
    session = CoreAIProcess(convert(Doubled(), FOUR, half=False, entry_points=("second", "main")))
    np.testing.assert_array_equal(session.run([FOUR.numpy()])[0], 2 * FOUR.numpy())
    session.close()


def test_packages_of_two_betas_are_both_named(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = {"coreai-core": "1.0.0b2", "coreai-torch": "0.4.3"}
    monkeypatch.setattr(packages, "_host_fault", lambda: None)
    monkeypatch.setattr(packages, "_version", installed.get)
    monkeypatch.setattr(packages.metadata, "requires", lambda name: ["coreai-core==1.0.0b3", "numpy<2.5"])
    found = probe(TargetName.COREAI)
    assert not found.available
    assert found.reason == "coreai-core 1.0.0b2 is installed, coreai-torch 0.4.3 needs coreai-core 1.0.0b3"
    assert found.install is not None and "[coreai]" in found.install


def test_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    from pocketclip.export import targets

    monkeypatch.setattr(packages, "_host_fault", lambda: None)
    monkeypatch.setattr(packages, "_version", lambda name: None)
    monkeypatch.setattr(targets.opening, "_version", lambda name: None)
    found = probe(TargetName.COREAI)
    assert found.reason == "missing coreai-core, coreai-torch" and "[coreai]" in str(found.install)


@pytest.mark.parametrize(("system", "machine"), [("linux", "aarch64"), ("win32", "amd64"), ("darwin", "x86_64")])
def test_computers_that_apple_has_no_packages_for(system: str, machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages.sys, "platform", system)
    monkeypatch.setattr(packages.platform, "machine", lambda: machine)
    lacking = packages.lacking()
    assert lacking is not None and "Linux x86-64 and Apple silicon" in lacking.reason


@pytest.mark.parametrize(
    ("system", "machine", "words"),
    [
        ("linux", "x86_64", "need glibc 2.34 or later, this is glibc 2.31"),
        ("darwin", "arm64", "need macOS 26, this is 15.6"),
    ],
)
def test_systems_that_are_too_old(system: str, machine: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages.sys, "platform", system)
    monkeypatch.setattr(packages.platform, "machine", lambda: machine)
    monkeypatch.setattr(packages.platform, "libc_ver", lambda: ("glibc", "2.31"))
    monkeypatch.setattr(packages.platform, "mac_ver", lambda: ("15.6", ("", "", ""), machine))
    lacking = packages.lacking()
    assert lacking is not None and words in lacking.reason


def test_reading_without_the_packages(convert: Convert, monkeypatch: pytest.MonkeyPatch) -> None:
    path = convert(Doubled(), FOUR)
    monkeypatch.setitem(sys.modules, "coreai_torch", None)
    with pytest.raises(TargetUnavailableError, match=r"packages are not installed: there is no coreai_torch"):
        lint_file(path)
    monkeypatch.setattr(packages, "_wanted_core", lambda: "1.0.0b9")
    with pytest.raises(TargetUnavailableError, match=r"cannot be used: coreai-core \S+ is installed, .* needs"):
        lint_file(path)
