"""The modules that need Android: compiled against its framework, their screens and services run under Robolectric."""

from __future__ import annotations

import pytest

from .maven_build import Build, has_resource_compiler

# What it takes is the build, once for all tests that need it.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(
        not has_resource_compiler(), reason="aapt2 or unzip is not installed: apt-get install aapt unzip"
    ),
]

# What each module must at least have run, so that tests which vanish are missed.
TESTS = {
    "android/runtime-executorch": ("ExecuTorchTest",),
    "android/runtime-litert": ("LiteRtFileTest", "LiteRtSessionTest", "LiteRtTest"),
    "android/bench": (
        "BenchActionTest",
        "BenchInstrumentationTest",
        "LoopActivityTest",
        "MeasuringServiceTest",
        "ServiceLauncherTest",
    ),
    "android/app": (
        "BitmapPhotosTest",
        "BundleStoreTest",
        "CameraFeedTest",
        "ClassifyPresenterTest",
        "LogicTest",
        "MeasurePresenterTest",
        "BundlePresenterTest",
        "ProcessMeasurerTest",
        "ProvidedPhotosTest",
        "RealInferenceTest",
        "ScreensTest",
        "SearchPresenterTest",
        "GalleryStoreTest",
        "WorkServiceTest",
    ),
}


@pytest.mark.parametrize("module", TESTS)
def test_a_modules_tests_ran_and_passed(proof: Build, module: str) -> None:
    cases = proof.test_cases(module)
    assert {str(case.get("classname")).rpartition(".")[2] for case in cases} == set(TESTS[module]), proof.output[-4000:]
    for case in cases:
        faults = [child for child in case if child.tag in ("failure", "error", "skipped")]
        assert not faults, f"{case.get('classname')}.{case.get('name')}: {faults[0].get('message')}"


@pytest.mark.parametrize(
    "state",
    [
        "without a bundle it says where to get one",
        "while a bundle is checked it says so",
        "a photo is ranked with bars and times",
        "a bundle that cannot be used is refused in words, and one can go back",
        "without the camera's permission there is a way to the settings",
        "turned in the middle of a classification, it goes on",
        "turned in the middle of a measurement, it goes on, and the screen is the same",
    ],
)
def test_every_state_of_the_screens_was_shown(proof: Build, state: str) -> None:
    shown = {case.get("name") for case in proof.test_cases("android/app") if not list(case.iter("failure"))}
    assert state in shown
