"""Hosts and versions of Qualcomm's libraries, and what their compiler prints."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from pocketclip.export.npu import qualcomm
from pocketclip.export.precision import TargetName
from pocketclip.export.targets import probe


@pytest.mark.parametrize(
    ("host", "words"),
    [
        (("darwin", "arm64", ("", "")), "are for Linux on x86-64, this is darwin on arm64"),
        (("linux", "aarch64", ("glibc", "2.39")), "are for Linux on x86-64, this is linux on aarch64"),
        (("linux", "x86_64", ("", "")), "need glibc 2.35 or later, this is another C library"),
        (("linux", "x86_64", ("glibc", "2.31")), "need glibc 2.35 or later, this is glibc 2.31"),
        (("linux", "x86_64", ("glibc", "2.36")), None),
    ],
)
def test_hosts(host: tuple, words: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    system, machine, library = host
    monkeypatch.setattr(qualcomm.sys, "platform", system)
    monkeypatch.setattr(qualcomm.platform, "machine", lambda: machine)
    monkeypatch.setattr(qualcomm.platform, "libc_ver", lambda: library)
    lacking = qualcomm.host_lacking()
    assert (lacking is None) if words is None else (lacking is not None and words in lacking.reason)


@pytest.mark.parametrize("version", ["2.4.9", "2.6.0", "2.7.0", "3.0"])
def test_a_version_that_does_not_fit_is_named_with_the_bounds(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = qualcomm.metadata.version
    monkeypatch.setattr(qualcomm.metadata, "version", lambda name: version if name == qualcomm.PACKAGE else found(name))
    monkeypatch.setattr(qualcomm, "host_lacking", lambda: None)
    for target in (TargetName.EXECUTORCH_QNN, TargetName.ONNX_QNN):
        availability = probe(target)
        assert not availability.available
        assert availability.reason == f"onnxruntime-qnn {version} is installed, which does not fit: >=2.5,<2.6"
        assert availability.install is not None and "qnn" in availability.install


def test_bounds_are_those_of_the_extra() -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text())
    (needed,) = project["project"]["optional-dependencies"]["qnn"]
    first, before = (".".join(map(str, each)) for each in (qualcomm.FIRST_VERSION, qualcomm.BEFORE_VERSION))
    assert needed.startswith(f"{qualcomm.PACKAGE}>={first}.") and f",<{before}" in needed


@pytest.mark.parametrize(
    ("said", "moved"),
    [
        (b"====\nspill_bytes=0\nfill_bytes=4096\nwrite_total_bytes=1\n", (0, 4096)),
        (b"spill_bytes=1\nfill_bytes=2\nspill_bytes=3\nfill_bytes=4\n", (3, 4)),
        (b"nothing of it", (None, None)),
        (b"spill_bytes=-1\nfill_bytes=1e9\n", (None, None)),
    ],
)
def test_bytes_that_the_compiler_names(said: bytes, moved: tuple) -> None:
    assert qualcomm.moved_bytes(said) == moved
