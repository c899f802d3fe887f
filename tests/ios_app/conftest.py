"""The Swift package, built once for all tests of a session, what its programs are given, and test iPhones."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pocketclip.benchmark.errors import EmulatorError
from pocketclip.export.artifact.manifest import hash_files
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.bundle.manifest import BundledModel
from pocketclip.export.bundle.reading import OpenedBundle
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.export.targets import open_model
from tests.export.bundle.tiny_artifacts import build_artifact
from tests.ios_app.swift_package import SwiftBuild, build_package
from tests.ios_app.test_phone import WAYS, TestIPhone
from tests.ios_app.toolchain import ensure_toolchain

MakePhone = Callable[[str], TestIPhone]


@pytest.fixture(scope="session")
def swift_build(tmp_path_factory: pytest.TempPathFactory) -> SwiftBuild:
    """The package with its tests, built once for all of a session's processes."""
    cache = Path(os.environ["POCKETCLIP_USER_CACHE"])
    try:
        toolchain = ensure_toolchain(print, cache)
    except EmulatorError as error:
        pytest.skip(str(error))
    base = tmp_path_factory.getbasetemp()
    return build_package(toolchain, cache, base.parent if "PYTEST_XDIST_WORKER" in os.environ else base)


def write_replay(path: Path, inputs: Sequence[bytes], outputs: bytes, values: int, executed_by: str) -> None:
    """Writes what `ReplayRuntime` reads: outputs of `values` float32 each, by the hashes of their inputs."""
    stored = path.with_name(path.name.removesuffix(".replay.json") + ".outputs.bin")
    stored.write_bytes(outputs)
    path.write_text(
        json.dumps(
            {
                "executed_by": executed_by,
                "inputs_sha256": [hashlib.sha256(each).hexdigest() for each in inputs],
                "outputs": {"file": stored.name, "shape": [len(inputs), values]},
            }
        )
    )


def replay_model(
    bundle: OpenedBundle, model: BundledModel, inputs: Sequence[NDArray[np.generic]], folder: Path
) -> None:
    """Runs a model of a bundle here, and writes what `ReplayRuntime` reads of it, by the hash of its files."""
    session = open_model(model.target, bundle.model_path(model))
    outputs = np.concatenate([session.run([each])[0] for each in inputs]).astype("<f4")
    session.close()
    files = [entry for entry in bundle.manifest.files if entry.path.startswith(f"{model.entry_point}/")]
    write_replay(
        folder / f"{hash_files(files)}.replay.json",
        [each.tobytes() for each in inputs],
        outputs.tobytes(),
        outputs.shape[1],
        "reference executor",
    )


@pytest.fixture(scope="session")
def core(swift_build: SwiftBuild) -> list[str]:
    """The command that starts the headless program."""
    return swift_build.headless_command()


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
