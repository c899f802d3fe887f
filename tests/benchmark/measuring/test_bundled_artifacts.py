"""Towers of bundles in the form of artefacts: the same identity, what is left of the proof, measured as any other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pocketclip.benchmark.devices import HostDevice
from pocketclip.benchmark.errors import DeviceUnsupportedError
from pocketclip.benchmark.measuring.bundled_artifacts import measurable_artifacts
from pocketclip.benchmark.measuring.plan import BenchmarkPlan, SilentWatch, run_plan
from pocketclip.benchmark.records.benchmark import DEVICE_DEFAULT, BundledParity, RunSettings, Status
from pocketclip.benchmark.runners.chip_artifacts import for_chip, placement_of
from pocketclip.benchmark.store.codec import decode, encode
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.bundle.fitting import BundleRequest
from pocketclip.export.bundle.writing import write_bundle
from pocketclip.export.errors import ArtifactNotFoundError, BundleCorruptError
from pocketclip.export.precision import InstructionSet, Precision, TargetName, Tower
from pocketclip.export.targets import probe
from tests.android_app.test_phone.npu import stand_in
from tests.export.bundle.tiny_artifacts import LABELS, build_artifact


@pytest.fixture
def towers(tmp_path: Path) -> list[Artifact]:
    return [build_artifact(tmp_path / "artifacts", tower) for tower in Tower]


@pytest.fixture
def bundle(towers: list[Artifact], tmp_path: Path) -> Path:
    write_bundle(BundleRequest(towers[0], towers[1], LABELS), tmp_path / "clip.bundle")
    return tmp_path / "clip.bundle"


def test_a_bundles_towers_are_its_artefacts(bundle: Path, towers: list[Artifact]) -> None:
    with measurable_artifacts([bundle]) as found:
        assert [each.label for each in found] == [each.label for each in towers]
        for ours, theirs in zip(found, towers, strict=True):
            assert ours.manifest.sha256 == theirs.manifest.sha256
            assert ours.manifest.model_size_bytes == theirs.manifest.model_size_bytes
            assert ours.model_path.read_bytes() == theirs.model_path.read_bytes()
            golden = ours.manifest.golden
            # A bundle keeps some of the samples.
            assert 1 <= golden.inputs.shape[0] <= theirs.manifest.golden.inputs.shape[0]
            assert ours.golden(golden.outputs).shape == golden.outputs.shape
        folders = [each.folder for each in found]
    assert not any(folder.exists() for folder in folders)


def test_records_of_a_bundle_are_those_of_its_artefacts(bundle: Path, towers: list[Artifact]) -> None:
    def measured(*artifacts: Artifact):
        plan = BenchmarkPlan(artifacts, (RunSettings(iterations=3, launches=1),), cooldown_seconds=0)
        return run_plan(plan, HostDevice(), append=lambda record: None, watch=SilentWatch())

    with measurable_artifacts([bundle]) as found:
        ours = measured(*found)
    theirs = measured(*towers)
    assert [record.artifact for record in ours] == [record.artifact for record in theirs]
    for record, other in zip(ours, theirs, strict=True):
        assert record.status is Status.MEASURED and record.golden_check is not None
        assert other.parity is not None and record.parity == BundledParity(
            other.parity.samples, other.parity.cosine_mean, other.parity.cosine_min, other.parity.top1_agreement, ()
        )
        assert record.parity.passed
        assert decode(encode(record)) == record


def test_what_differs_from_the_usual_form_stays_told(towers: list[Artifact], tmp_path: Path) -> None:
    # One for other processors than a phone's has this in its scheme.
    image = Artifact(towers[0].folder, replace(towers[0].manifest, instruction_set=InstructionSet.X86_64))
    written = write_bundle(BundleRequest(image, towers[1], LABELS), tmp_path / "other.bundle")
    assert written.image.scheme == "onnx-fp32-x86_64"
    with measurable_artifacts([tmp_path / "other.bundle"]) as found:
        assert [each.manifest.scheme for each in found] == ["onnx-fp32-x86_64", towers[1].manifest.scheme]


def test_a_bundle_beside_its_own_artefact_is_measured_once(bundle: Path, towers: list[Artifact]) -> None:
    with measurable_artifacts([bundle, towers[1].folder]) as found:
        assert [each.manifest.tower for each in found] == [Tower.TEXT, Tower.IMAGE]
        assert found[0].folder == towers[1].folder.resolve()


def test_what_is_neither_artefact_nor_sound_bundle(bundle: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(ArtifactNotFoundError, match="nothing does not exist"),
        measurable_artifacts([tmp_path / "nothing"]),
    ):
        pass
    (bundle / "image/model.onnx").write_bytes(b"x")
    with (
        pytest.raises(BundleCorruptError, match="the file is truncated or was replaced"),
        measurable_artifacts([bundle]),
    ):
        pass


def test_a_proof_that_failed_stays_failed(tmp_path: Path, towers: list[Artifact]) -> None:
    report = towers[0].manifest.parity
    assert report is not None
    missed = build_artifact(
        tmp_path / "missed", Tower.IMAGE, parity=replace(report, failures=("cosine 0.90, at least 0.99 wanted",))
    )
    write_bundle(BundleRequest(missed, towers[1], LABELS, allow_failed=True), tmp_path / "failed.bundle")
    with measurable_artifacts([tmp_path / "failed.bundle"]) as found:
        parity = found[0].manifest.bundled_parity  # type: ignore[attr-defined]
        assert not parity.passed and parity.failures == ("cosine 0.90, at least 0.99 wanted",)


_HERE = probe(TargetName.ONNX_QNN)


@pytest.mark.skipif(not _HERE.available, reason=f"onnx-qnn is unavailable: {_HERE.reason}")
def test_variants_for_npus_are_artefacts_too(towers: list[Artifact], tmp_path: Path) -> None:
    """Measured as the artefact they come from: on a computer by the emulator, for a phone with its chip's graph."""
    npu = build_artifact(tmp_path / "npu", Tower.IMAGE, TargetName.ONNX_QNN, Precision.FP16, socs=("SM8550", "SM8650"))
    write_bundle(BundleRequest(towers[0], towers[1], npu=(npu,)), tmp_path / "npu.bundle")
    with measurable_artifacts([tmp_path / "npu.bundle"]) as found:
        assert [each.manifest.target for each in found] == [TargetName.ONNX, TargetName.ONNX, TargetName.ONNX_QNN]
        ours = found[2]
        assert (ours.label, ours.manifest.sha256) == (npu.label, npu.manifest.sha256)
        chosen = for_chip(ours, "SM8650", "a phone").manifest
        assert [entry.path for entry in chosen.model_files] == [
            entry.path for entry in for_chip(npu, "SM8650", "a phone").manifest.model_files
        ]
        assert chosen.sha256 == npu.manifest.sha256
        assert (chosen.entry_point, len(chosen.model_files)) == ("contexts/sm8650.onnx", 2)
        plan = BenchmarkPlan((ours, npu), (RunSettings(launches=1, accelerator=DEVICE_DEFAULT),), cooldown_seconds=0)
        bundled, whole = run_plan(plan, HostDevice(), append=lambda record: None, watch=SilentWatch())
    for record in (bundled, whole):
        assert (record.status, record.reason) == (
            Status.PARITY_ONLY,
            "Snapdragon's NPU by ONNX Runtime on Linux: parity only",
        )
        assert record.runtime.accelerator_requested == "npu"
        assert record.npu is not None
        assert (record.npu.soc, record.npu.coverage) == ("SM8550", 1.0)
        assert record.artifact.model_size_bytes == record.npu.size_bytes
        assert decode(encode(record)) == record
    assert whole.npu is not None and whole.npu.ops == 3
    assert isinstance(bundled.parity, BundledParity)


@pytest.mark.parametrize(
    ("chip", "words"),
    [
        ("SM8450", r"has no graph for SM8450 of a phone, it has SM8550, SM8650; export it again with --soc SM8450"),
        ("SM7325", r"graphs cannot be prepared for this chip"),
        (None, r"a phone does not tell its chip"),
    ],
)
def test_a_chip_without_a_graph(towers: list[Artifact], tmp_path: Path, chip: str | None, words: str) -> None:
    prepared = stand_in(towers[0], tmp_path / "prepared")
    with pytest.raises(DeviceUnsupportedError, match=words):
        for_chip(prepared, chip, "a phone")
    assert placement_of(towers[0]) is None
