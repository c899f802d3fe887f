"""Rules about artefacts as a whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from pocketclip.export.artifact.lint_finding import LintFinding, Severity
from pocketclip.export.artifact.manifest import FileEntry, Manifest
from pocketclip.export.lint.run import lint, lint_export
from pocketclip.export.lint.subject import Subject
from pocketclip.export.precision import TargetName
from pocketclip.models.registry import load_config

UNIT = np.array([[0.6, 0.8, 0, 0], [0, 0, 0, 1]], np.float32)


def found(folder: Path, manifest: Manifest, outputs: np.ndarray = UNIT) -> list[tuple[str, str]]:
    findings = lint_export(nn.Identity(), folder, manifest, outputs)
    return [(finding.code, finding.where) for finding in findings]


@pytest.fixture
def folder(normalised: Path) -> Path:
    normalised.rename(normalised.parent / "model.onnx")
    return normalised.parent


def test_clean(folder: Path, manifest: Manifest) -> None:
    assert found(folder, manifest) == []


def test_outputs_that_are_not_of_unit_length(folder: Path, manifest: Manifest) -> None:
    assert found(folder, manifest, UNIT * 1.1) == [("PC007", "golden outputs")]
    assert found(folder, replace(manifest, normalized=False), UNIT * 1.1) == []


def test_preprocessing_of_another_family(folder: Path, manifest: Manifest) -> None:
    openai = load_config("tinyclip_40m_32_text_19m").preprocess
    places = [where for code, where in found(folder, replace(manifest, preprocess=openai)) if code == "PC008"]
    assert {"preprocess.mean", "preprocess.std", "preprocess.image_size"} <= set(places)


def test_modified_models_may_have_another_resolution_but_no_other_mean(folder: Path, manifest: Manifest) -> None:
    mine = replace(manifest, model=replace(manifest.model, name="pocketclip_nano-0123abcd"))
    assert mine.preprocess is not None
    larger = replace(mine.preprocess, image_size=96)
    assert found(folder, replace(mine, preprocess=larger)) == []
    shifted = replace(larger, mean=(0.5, 0.5, 0.5))
    assert found(folder, replace(mine, preprocess=shifted)) == [("PC008", "preprocess.mean")]
    unknown = replace(mine, model=replace(mine.model, name="my_own"))
    assert found(folder, replace(unknown, preprocess=shifted)) == []


@pytest.mark.parametrize(
    ("name", "mean"),
    [
        ("open_clip-ViT-B-32-openai", (0.48145466, 0.4578275, 0.40821073)),
        ("open_clip-MobileCLIP-S1-datacompdr", (0.0, 0.0, 0.0)),
    ],
)
def test_open_clip_weights_have_their_own_mean(name: str, mean: tuple[float, float, float]) -> None:
    from pocketclip.export.lint.artifact_rules import wrong_preprocessing
    from pocketclip.models.pixels.preprocess import PreprocessSpec

    right = PreprocessSpec(image_size=224, mean=mean)
    wrong = replace(right, mean=(0.1, 0.1, 0.1))
    subject = Subject("x", model_name=name)
    places = [
        {spot.where for spot in wrong_preprocessing(replace(subject, preprocess=spec))} for spec in (right, wrong)
    ]
    assert "preprocess.mean" not in places[0]
    assert "preprocess.mean" in places[1]


@pytest.mark.parametrize(
    ("target", "megabytes", "codes"),
    [
        (TargetName.ONNX, 199, []),
        (TargetName.ONNX, 201, ["PC011", "PC011"]),
        (TargetName.COREML, 201, ["PC011"]),
        (TargetName.TFLITE, 501, ["PC011", "PC011", "PC011"]),
        (TargetName.EXECUTORCH, 1501, ["PC011", "PC011", "PC011", "PC012"]),
        (TargetName.COREML, 1501, ["PC011"]),
        (TargetName.COREML, 4001, ["PC011", "PC012"]),
    ],
)
def test_sizes(target: TargetName, megabytes: int, codes: list[str]) -> None:
    findings = lint(Subject("x", target=target, size_bytes=megabytes * 1_000_000))
    assert [finding.code for finding in findings] == codes
    assert all("MB" in finding.message for finding in findings)


def test_a_runtime_named_by_the_manifest(folder: Path, manifest: Manifest) -> None:
    assert found(folder, replace(manifest, requires="ONNX Runtime 1.12")) == [("PC013", "opset ai.onnx")]
    assert found(folder, replace(manifest, requires="ONNX Runtime 2.1")) == []


def test_manifest_of_another_file(folder: Path, manifest: Manifest) -> None:
    narrow = replace(manifest.inputs[0], shape=(1, 7))
    half = replace(manifest.outputs[0], dtype="float16")
    assert found(folder, replace(manifest, inputs=(narrow,), outputs=(half,))) == [
        ("PC015", "input"),
        ("PC015", "output"),
    ]


def test_a_file_that_cannot_be_read_is_a_finding(folder: Path, manifest: Manifest) -> None:
    """The artefact has been proven by then: it must not be lost."""
    (folder / "model.onnx").write_bytes(b"no model")
    large = replace(manifest, files=(FileEntry("model.onnx", 2_000_000_000, "0" * 64),))
    findings = lint_export(nn.Identity(), folder, large, UNIT)
    assert [finding.code for finding in findings][:2] == ["PC000", "PC011"]
    assert str(folder) not in findings[0].message


def test_findings_survive_the_manifest_and_fail_the_artefact(manifest: Manifest) -> None:
    from pocketclip.export.artifact.parity_report import ParityReport
    from pocketclip.export.commands.outcomes import failed, one_line
    from pocketclip.export.job import ExportJob, ExportResult
    from pocketclip.models import documents

    parity = ParityReport(8, 1.0, 1.0, 1.0, 0.0, 99.0, 1.0, 1.0, "onnxruntime", ())
    job = ExportJob(
        load_config("pocketclip_nano"), None, manifest.target, manifest.precision, manifest.tower, Path("out")
    )

    def outcome(*findings: LintFinding):
        marked = replace(manifest, parity=parity, lint=findings)
        read = documents.parse(Manifest, documents.to_json(marked), source="test", error=ValueError)  # type: ignore[arg-type]
        return job, ExportResult(job.folder, read, 1.0)

    warning = LintFinding("PC009", Severity.WARNING, "conv", "runs outside", "write it otherwise")
    error = LintFinding("PC004", Severity.ERROR, "input ids", "takes int64", "export with int32")
    assert not failed(outcome())
    assert "lint" not in one_line(outcome())
    assert not failed(outcome(warning))
    assert one_line(outcome(warning)).endswith("lint: PC009")
    assert failed(outcome(warning, error))
    assert one_line(outcome(warning, error)).endswith("PC004 input ids: takes int64")
