"""SDKs of other makers: what is said where one is missing, of another version, without libraries, or not loadable."""

from __future__ import annotations

import ctypes.util
import platform
import sys
from importlib import metadata
from pathlib import Path

import pytest

from pocketclip.export.errors import TargetUnavailableError, UnknownSocError
from pocketclip.export.inputs.calibration import GENERATED_SCENES
from pocketclip.export.jobs.planning import Plan, make_plan
from pocketclip.export.npu import litert_compiler, maker_sdks
from pocketclip.export.npu.makers import MAKERS, Maker
from pocketclip.export.precision import MAKER_TARGETS, TargetName
from pocketclip.export.targets import probe
from pocketclip.models.registry import ChosenModel, load_config
from tests.export.targets.stand_in_sdks import install_sdk, write_compiler

HERE = sys.platform == "linux" and platform.machine() == "x86_64"
pytestmark = pytest.mark.skipif(not HERE, reason="LiteRT's compilers are for Linux on x86-64")
LITERT_IS_HERE = probe(TargetName.TFLITE).available


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages that Python finds first."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    for maker in MAKERS.values():
        monkeypatch.delitem(sys.modules, maker.module, raising=False)
    return folder


def without_sdk(maker: Maker) -> None:
    if any(metadata.distributions(name=maker.package)):
        pytest.skip(f"{maker.package} is installed")


def reason(target: TargetName) -> str:
    availability = probe(target)
    assert not availability.available and availability.install
    return f"{availability.reason}; {availability.install}"


@pytest.mark.parametrize("target", MAKER_TARGETS)
def test_without_the_sdk_the_command_is_said(target: TargetName) -> None:
    package = MAKERS[target].package
    without_sdk(MAKERS[target])
    assert reason(target).startswith(f"missing {package}; python -m pip install '{package}>=2.3.0")


@pytest.mark.parametrize("target", MAKER_TARGETS)
def test_an_sdk_of_another_version(target: TargetName, site: Path) -> None:
    maker = MAKERS[target]
    install_sdk(site, maker, "2.4.0.dev20261026")
    assert reason(target).startswith(
        f"{maker.package} 2.4.0.dev20261026 is installed, which does not fit: {maker.requirement}; python -m pip"
    )


@pytest.mark.parametrize("target", MAKER_TARGETS)
def test_an_sdk_whose_download_failed(target: TargetName, site: Path, capfd: pytest.CaptureFixture[str]) -> None:
    maker = MAKERS[target]
    install_sdk(site, maker, libraries=False)
    said = reason(target)
    assert f"2.3.0 is installed without {maker.name}'s libraries: their download failed" in said
    assert "--force-reinstall --no-deps --no-cache-dir" in said
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "source",
    [
        "raise ImportError('broken')",
        "path_to_sdk_libs = None",
        "def path_to_sdk_libs(*a): raise NotImplementedError('no such version')",
        "def path_to_sdk_libs(*a): return 7",
        "def path_to_sdk_libs(*a): return '/nowhere\\0'",
    ],
)
def test_a_damaged_sdk_has_no_libraries(source: str, site: Path) -> None:
    maker = MAKERS[TargetName.TFLITE_MEDIATEK]
    install_sdk(site, maker)
    (site / maker.module / "__init__.py").write_text(source)
    assert "installed without MediaTek's libraries" in reason(TargetName.TFLITE_MEDIATEK)
    with pytest.raises(TargetUnavailableError, match="has no libraries for MT6991"):
        maker_sdks.plugin_for(maker, maker.chips["MT6991"])


@pytest.mark.skipif(not LITERT_IS_HERE, reason="LiteRT is not installed")
def test_libraries_that_the_plug_in_cannot_load(site: Path) -> None:
    """LiteRT's own compiler and plug-in are asked; the library is an empty file."""
    maker = MAKERS[TargetName.TFLITE_GOOGLE]
    install_sdk(site, maker)
    said = reason(TargetName.TFLITE_GOOGLE)
    assert said.startswith("LiteRT's plug-in for Google cannot be loaded: ")
    assert f"{maker.library}: file too short" in said and "--force-reinstall" in said


@pytest.mark.skipif(not LITERT_IS_HERE, reason="LiteRT is not installed")
def test_the_plug_in_that_needs_a_library_of_the_system(site: Path) -> None:
    maker = MAKERS[TargetName.TFLITE_SAMSUNG]
    install_sdk(site, maker, "2.3.0.dev20261007")
    if ctypes.util.find_library("flatbuffers") is None:
        assert reason(TargetName.TFLITE_SAMSUNG) == (
            "LiteRT's plug-in for Samsung cannot be loaded: undefined symbol: "
            "_ZN11flatbuffers13ClassicLocale9instance_E; your system's package of libflatbuffers.so, which it needs"
        )
    else:
        assert probe(TargetName.TFLITE_SAMSUNG).available


def planned(target: str, soc: str | None = None, isa: str | None = None) -> Plan:
    model = ChosenModel(load_config("pocketclip_nano"), "fresh")
    return make_plan(model, target, "base", "image", Path("out"), calibration=GENERATED_SCENES, soc=soc, isa=isa)


@pytest.mark.skipif(not LITERT_IS_HERE, reason="LiteRT is not installed")
def test_with_an_sdk_the_target_takes_its_chips(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_sdk(site, MAKERS[TargetName.TFLITE_GOOGLE])
    monkeypatch.setattr(litert_compiler, "PROGRAM", write_compiler(tmp_path, "").program)
    assert probe(TargetName.TFLITE_GOOGLE).available
    assert [job.socs for job in planned("tflite-google").jobs] == [("Tensor_G3", "Tensor_G4", "Tensor_G5")]
    (job,) = planned("tflite-google", isa="pixel9-pro").jobs
    assert (job.socs, job.isa) == (("Tensor_G4",), "arm64")
    assert {job.target: job.socs for job in planned("tflite,tflite-google", soc="tensor-g5,sm8650").jobs} == {
        TargetName.TFLITE: (),
        TargetName.TFLITE_GOOGLE: ("Tensor_G5",),
    }
    with pytest.raises(UnknownSocError, match="target tflite-google prepares no graphs for MT6991; choose among"):
        planned("tflite,tflite-google", soc="mt6991")


def test_all_targets_skip_what_is_not_here() -> None:
    without_sdk(MAKERS[TargetName.TFLITE_MEDIATEK])
    skipped = planned("all").skipped
    assert "it is unavailable here (missing ai-edge-litert-sdk-mediatek)" in skipped[TargetName.TFLITE_MEDIATEK]
    with pytest.raises(
        TargetUnavailableError, match=r"tflite-mediatek alone prepares graphs for MT6991, and it is unavailable here"
    ):
        planned("all", soc="dimensity-9400")


def test_a_target_that_is_named_is_refused_in_one_line(pocketclip, error_line, tmp_path: Path) -> None:
    without_sdk(MAKERS[TargetName.TFLITE_SAMSUNG])
    result = pocketclip("export", "--target", "tflite-samsung", "--out", tmp_path / "out")
    assert result.returncode == 2
    assert "pip install 'ai-edge-litert-sdk-samsung-nightly>=2.3.0.dev0,<2.4.0.dev0'" in error_line(result)
