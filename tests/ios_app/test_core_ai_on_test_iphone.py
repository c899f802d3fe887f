"""Core AI through `bench --device test-iphone`, and a bundle of both runtimes: outputs of Apple's runtime for Linux."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from pocketclip.benchmark.devices.iphone_device import IPhoneDevice
from pocketclip.benchmark.errors import DeviceUnsupportedError
from pocketclip.benchmark.measuring.bundled_artifacts import measurable_artifacts
from pocketclip.benchmark.measuring.plan import BenchmarkPlan, run_plan
from pocketclip.benchmark.records.benchmark import DEVICE_DEFAULT, BenchmarkRecord, RunSettings, Status, WarmupRule
from pocketclip.benchmark.statistics.summaries import median_first_load_ns
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.bundle.fitting import BundleRequest
from pocketclip.export.bundle.image_input import image_input
from pocketclip.export.bundle.prompts import StoredTemplates
from pocketclip.export.bundle.reading import OpenedBundle, read_bundle
from pocketclip.export.bundle.selftest import self_test
from pocketclip.export.bundle.tokenizer import BundleTokenizer
from pocketclip.export.bundle.writing import write_bundle
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.export.targets import probe
from tests.export.bundle.tiny_artifacts import LABELS, build_artifact
from tests.ios_app.conftest import MakePhone, replay_model
from tests.ios_app.swift_package import SwiftBuild
from tests.ios_app.test_bench_on_test_iphone import Notes, open_iphone
from tests.ios_app.test_phone import TestIPhone

_HERE = probe(TargetName.COREAI)
pytestmark = pytest.mark.skipif(not _HERE.available, reason=f"coreai is unavailable: {_HERE.reason}")

ONCE = RunSettings(iterations=3, launches=1, warmup=WarmupRule(maximum_iterations=5, minimum_iterations=1))


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[TargetName, Tower], Artifact]:
    """Both towers for Core ML and for Core AI; nothing may write to them."""
    root = tmp_path_factory.mktemp("artifacts")
    targets = (TargetName.COREML, TargetName.COREAI)
    return {
        (target, tower): build_artifact(root, tower, target, Precision.FP16) for target in targets for tower in Tower
    }


@pytest.fixture(scope="module")
def asset(artifacts: dict[tuple[TargetName, Tower], Artifact]) -> Artifact:
    return artifacts[TargetName.COREAI, Tower.IMAGE]


@pytest.fixture(scope="module")
def bundle(
    artifacts: dict[tuple[TargetName, Tower], Artifact], tmp_path_factory: pytest.TempPathFactory
) -> OpenedBundle:
    """Core ML for every iOS, Core AI for iOS 27."""
    folder = tmp_path_factory.mktemp("bundles") / "both.bundle"
    plain = [artifacts[TargetName.COREML, tower] for tower in Tower]
    newer = tuple(artifacts[TargetName.COREAI, tower] for tower in Tower)
    write_bundle(BundleRequest(plain[0], plain[1], LABELS, coreai=newer), folder)
    return read_bundle(folder)


def bench(
    iphone: TestIPhone, *artifacts: Artifact, accelerator: str = "all", launches: int = 1, notes: Notes | None = None
) -> list[BenchmarkRecord]:
    """What `bench` does there, in this process."""
    notes = notes or Notes()
    device: IPhoneDevice = open_iphone(iphone, notes)
    device.check()
    settings = device.settings(replace(ONCE, accelerator=accelerator, launches=launches))
    plan = BenchmarkPlan(artifacts, (settings,), 60.0, cooldown_seconds=0.0)
    return run_plan(plan, device, append=lambda _: None, watch=notes)


def test_an_asset_is_measured(iphone: TestIPhone, asset: Artifact) -> None:
    iphone.teach(asset)
    (record,) = bench(iphone, asset, accelerator=DEVICE_DEFAULT, launches=2)
    assert record.status is Status.MEASURED, record.reason
    assert (record.artifact.target, record.runtime.name) == (TargetName.COREAI, "coreai")
    assert (record.runtime.accelerator_requested, record.runtime.accelerator_observed) == ("all", None)
    assert record.golden_check is not None and record.golden_check.cosine_min > 0.999
    # First and later loads are told apart, and what comes before a load is timed apart from it.
    assert [launch.first_load for launch in record.launches] == [True, False]
    assert median_first_load_ns(record) == record.launches[0].load_ns
    assert all(launch.import_ns >= 0 and launch.reload_ns is not None for launch in record.launches)
    pushed = [word for call in iphone.phone.calls() for word in call if "model.aimodel/" in word]
    assert pushed and not any("coremlcompiler" in call for call in iphone.phone.calls())
    assert iphone.left() == [], "Documents are not as they were"


@pytest.mark.parametrize("accelerator", ["gpu", "npu", "cpu"])
def test_specialisations_are_asked_for(make_phone: MakePhone, asset: Artifact, accelerator: str) -> None:
    """A unit that is preferred is no unit that ran: the record holds what was asked for, and nothing observed."""
    iphone = make_phone("pymobiledevice3")
    iphone.teach(asset)
    (record,) = bench(iphone, asset, accelerator=accelerator)
    assert record.status is Status.MEASURED, record.reason
    assert record.runtime.accelerator_requested == record.settings.accelerator == accelerator
    assert record.runtime.accelerator_observed is None and record.npu is None


def test_an_older_ios_has_no_core_ai(
    make_phone: MakePhone, asset: Artifact, artifacts: dict[tuple[TargetName, Tower], Artifact]
) -> None:
    iphone = make_phone("pymobiledevice3")
    iphone.phone.set_services(ios=18)
    package = artifacts[TargetName.COREML, Tower.IMAGE]
    iphone.teach(package)
    refused, measured = bench(iphone, asset, package)
    assert (refused.status, measured.status) == (Status.FAILED, Status.MEASURED)
    assert refused.reason is not None
    assert refused.reason.startswith("runtime-missing: the app has no coreai, but coreml"), refused.reason
    assert "from iOS 27 on" in refused.reason
    assert iphone.left() == []


def test_accelerators_of_the_other_runtime_are_left_out(
    make_phone: MakePhone, asset: Artifact, artifacts: dict[tuple[TargetName, Tower], Artifact]
) -> None:
    iphone = make_phone("pymobiledevice3")
    package = artifacts[TargetName.COREML, Tower.IMAGE]
    iphone.teach(asset)
    iphone.teach(package)
    notes = Notes()
    (record,) = bench(iphone, asset, package, accelerator="npu", notes=notes)
    assert (record.artifact.target, record.status) == (TargetName.COREAI, Status.MEASURED), record.reason
    assert [note for note in notes.said if note.startswith("skipped")] == [
        "skipped, not run: tiny coreml-fp16 image: --accelerator npu is none of its runtime's, which has all, cpu+ane, "
        "cpu+gpu, cpu"
    ]
    with pytest.raises(DeviceUnsupportedError, match=r"for Core ML: all, .*; for Core AI: all, gpu, npu, cpu"):
        bench(iphone, asset, accelerator="nnapi")


def test_a_bundle_of_both_is_measured_as_its_artefacts(make_phone: MakePhone, bundle: OpenedBundle) -> None:
    iphone = make_phone("pymobiledevice3")
    with measurable_artifacts([bundle.folder]) as found:
        assert [(each.manifest.target, each.manifest.tower) for each in found] == [
            (target, tower)
            for target, tower in (
                (TargetName.COREML, Tower.IMAGE),
                (TargetName.COREML, Tower.TEXT),
                (TargetName.COREAI, Tower.IMAGE),
                (TargetName.COREAI, Tower.TEXT),
            )
        ]
        for each in found:
            iphone.teach(each)
        records = bench(iphone, *found)
    assert [(record.status, record.runtime.name) for record in records] == [
        (Status.MEASURED, name) for name in ("coreml", "coreml", "coreai", "coreai")
    ], [record.reason for record in records]


def test_the_app_tests_a_bundle_of_both_as_python_does(
    swift_build: SwiftBuild, bundle: OpenedBundle, tmp_path: Path
) -> None:
    """Every specialisation that the bundle ships is tested; values are those of Apple's runtime for Linux."""
    _write_replays(bundle, tmp_path)
    arguments = ["--selftest", "/mnt/bundle", "--replays", "/mnt/replays"]
    ran = swift_build.bench(*arguments, mounts={bundle.folder: "/mnt/bundle", tmp_path: "/mnt/replays"})
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr
    report = json.loads(ran.stdout)
    ours = self_test(bundle)
    assert report["passed"] and ours.passed
    assert report["bundle_sha256"] == ours.bundle_sha256
    specializations = ("default", "prefer-gpu")
    assert [(run["tower"], run["target"], run["specialization"], run["not_run"]) for run in report["variants"]] == [
        (str(tower), "coreai", each, None) for tower in Tower for each in specializations
    ]
    by_part: dict[str, list[tuple[str, float, float]]] = {}
    for check in report["checks"]:
        by_part.setdefault(check["part"], []).append((check["name"], check["samples"], check["bound"]))
    for tower in Tower:
        wanted = [check for check in ours.checks if check.part == f"{tower} coreai"]
        for each in specializations:
            found = by_part[f"{tower} coreai {each}"]
            assert [(name, samples) for name, samples, _ in found] == [(check.name, check.samples) for check in wanted]
            # Python knows its own processor here; a phone is always another.
            assert [bound for _, _, bound in found[2:]] == [check.bound for check in wanted[2:]]


def _write_replays(bundle: OpenedBundle, folder: Path) -> None:
    """Outputs of the executors here for everything that a self-test asks of each model."""
    manifest, end = bundle.manifest, bundle.manifest.end_to_end
    tokenizer = BundleTokenizer(manifest.tokenizer, bundle.folder)
    assert manifest.labels is not None
    templates = StoredTemplates(manifest.templates)
    prompts = [tokenizer(text) for label in manifest.labels.names[:2] for text in templates.prompts(label)]
    for tower in Tower:
        plain = manifest.image if tower is Tower.IMAGE else manifest.text
        for model in (plain, *manifest.variants_of(tower)):
            photographs = [
                image_input(Image.fromarray(bundle.tensor(each.pixels)), manifest.preprocess, model.input)
                for each in end.images
                if tower is Tower.IMAGE
            ]
            texts = [*bundle.tensor(end.token_ids)[:, None], *prompts] if tower is Tower.TEXT else []
            inputs = [*bundle.tensor(model.golden.inputs)[:, None], *photographs, *texts]
            replay_model(bundle, model, inputs, folder)
