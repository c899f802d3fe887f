"""Test iPhones, and the headless core that is their app."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from export.artifact import Artifact
from export.precision import Precision, TargetName, Tower
from tests.export.bundle.tiny_artifacts import build_artifact
from tests.ios_app.bench_program import bench_program
from tests.ios_app.test_phone import WAYS, TestIPhone
from tests.ios_app.toolchain import ToolchainError, check_host

MakePhone = Callable[[str], TestIPhone]


@pytest.fixture(scope="session")
def core() -> list[str]:
    """The command that starts the headless core; built first where that was not done for these sources."""
    try:
        check_host()
    except ToolchainError as error:
        pytest.skip(str(error))
    return bench_program(lambda message: print(message, file=sys.stderr))


@pytest.fixture
def make_phone(core: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakePhone:
    """Makes a test iPhone that this process and those that it starts reach by the program of that name."""

    def make(way: str) -> TestIPhone:
        phone = TestIPhone(tmp_path / f"iphone-{way}", way)
        phone.root.mkdir()
        phone.make(core)
        for name, value in phone.environment.items():
            monkeypatch.setenv(name, value)
        return phone

    return make


@pytest.fixture(params=WAYS)
def iphone(request: pytest.FixtureRequest, make_phone: MakePhone) -> TestIPhone:
    """A test iPhone in good order, by each of the programs in turn."""
    return make_phone(request.param)


@pytest.fixture(scope="module", params=WAYS)
def kept_iphone(
    request: pytest.FixtureRequest, core: list[str], tmp_path_factory: pytest.TempPathFactory
) -> TestIPhone:
    """The same for all tests of a module, so that the app is installed once: see `used_iphone`."""
    phone = TestIPhone(tmp_path_factory.mktemp("iphone") / "phone", request.param)
    phone.root.mkdir()
    phone.make(core)
    return phone


@pytest.fixture
def used_iphone(kept_iphone: TestIPhone, monkeypatch: pytest.MonkeyPatch) -> TestIPhone:
    """A test iPhone in good order, which other tests may have used and put the app on."""
    for name, value in kept_iphone.environment.items():
        monkeypatch.setenv(name, value)
    kept_iphone.reset()
    return kept_iphone


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """A small Core ML artefact; nothing may write to it."""
    return build_artifact(tmp_path_factory.mktemp("tiny"), Tower.IMAGE, TargetName.COREML, Precision.FP16)
