"""A hand-built artefact with a tiny model, fake agents that misbehave, and records made up from a seed."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from scipy.stats import binomtest

from pocketclip.benchmark.records.accuracy import AccuracyRecord, Comparison, Recall, RetrievalRecord, Side
from pocketclip.benchmark.records.benchmark import (
    ArtifactIdentity,
    BenchmarkRecord,
    DeviceFacts,
    DeviceKind,
    GoldenCheck,
    RunSettings,
    RuntimeFacts,
    Status,
    new_record_id,
)
from pocketclip.benchmark.records.launch import Launch, MachineState
from pocketclip.benchmark.records.throughput import PhotoSet, ThroughputLaunch, ThroughputRecord
from pocketclip.benchmark.runners.agent_archive import build_archive
from pocketclip.export.artifact.manifest import (
    MANIFEST_NAME,
    SCHEMA_VERSION,
    Golden,
    GoldenTensor,
    Manifest,
    ModelIdentity,
    TensorSpec,
    list_files,
)
from pocketclip.export.artifact.parity_report import ParityReport
from pocketclip.export.artifact.reading import Artifact, load_artifact
from pocketclip.export.precision import Precision, TargetName, Tower
from pocketclip.models import documents
from pocketclip.models.evaluation.retrieval import Direction

SAMPLES, SIZE, DIM = 4, 6, 8

BuildArtifact = Callable[..., Artifact]


def parity_report(**changes: object) -> ParityReport:
    """A report that passes, with changes."""
    values = {
        "samples": 64,
        "cosine_mean": 0.999998,
        "cosine_p1": 0.99999,
        "cosine_min": 0.99998,
        "max_abs": 2e-4,
        "snr_db": 61.0,
        "top1_agreement": 1.0,
        "multibranch_cosine_min": 0.999999,
        "executed_by": "onnxruntime 1.32.0",
        "failures": (),
    }
    return ParityReport(**(values | changes))  # pyright: ignore[reportArgumentType]


def write_tiny_model(path: Path, weights: np.ndarray, nan_from: float = np.inf) -> None:
    """Flatten and project; gives NaN for a sample whose first value is above `nan_from`."""
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["pixels"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["projected"]),
            helper.make_node("Slice", ["flat", "zero", "one", "one"], ["first"]),
            helper.make_node("Greater", ["first", "limit"], ["bad"]),
            helper.make_node("Where", ["bad", "nan", "projected"], ["embedding"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, DIM])],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array([0], np.int64), "zero"),
            numpy_helper.from_array(np.array([1], np.int64), "one"),
            numpy_helper.from_array(np.float32([[nan_from]]), "limit"),
            numpy_helper.from_array(np.float32([[np.nan]]), "nan"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)


@pytest.fixture
def build_artifact(tmp_path: Path) -> BuildArtifact:
    """Makes a whole, valid artefact folder around a tiny ONNX model."""

    def build(
        name: str = "image",
        *,
        target: TargetName = TargetName.ONNX,
        precision: Precision = Precision.FP32,
        tower: Tower = Tower.IMAGE,
        nan_from: float = np.inf,
        weights_scale: float = 1.0,
        model_bytes: bytes | None = None,
    ) -> Artifact:
        generator = np.random.default_rng(7)
        folder = tmp_path / "artifacts" / name
        folder.mkdir(parents=True)
        inputs = generator.random((SAMPLES, 3, SIZE, SIZE), np.float32)
        weights = generator.standard_normal((3 * SIZE * SIZE, DIM)).astype(np.float32)
        write_tiny_model(folder / "model.onnx", weights * np.float32(weights_scale), nan_from)
        if model_bytes is not None:
            (folder / "model.onnx").write_bytes(model_bytes)
        reference = (inputs.reshape(SAMPLES, -1) @ weights).astype(np.float32)
        for stem, array in (("inputs", inputs), ("reference", reference), ("outputs", reference)):
            array.astype("<f4").tofile(folder / f"golden_{stem}.bin")
        manifest = Manifest(
            schema_version=SCHEMA_VERSION,
            created_at="2026-01-01T00:00:00+00:00",
            model=ModelIdentity("tiny", "c" * 64, "d" * 64, weights.size, DIM, 100.0),
            tower=tower,
            target=target,
            precision=precision,
            entry_point="model.onnx",
            inputs=(TensorSpec("pixels", (1, 3, SIZE, SIZE), "float32", "NCHW", 0.0, 1.0),),
            outputs=(TensorSpec("embedding", (1, DIM), "float32", "NC", -100.0, 100.0),),
            normalized=False,
            preprocess=None,
            tokenizer=None,
            files=list_files(folder),
            versions={},
            golden=Golden(
                GoldenTensor("golden_inputs.bin", inputs.shape, "float32"),
                GoldenTensor("golden_reference.bin", reference.shape, "float32"),
                GoldenTensor("golden_outputs.bin", reference.shape, "float32"),
            ),
            parity=parity_report(),
        )
        documents.write(manifest, folder / MANIFEST_NAME)
        return load_artifact(folder)

    return build


@pytest.fixture
def fake_agent() -> Callable[[str], bytes]:
    """An agent whose program is the given source; `announce(content)` prints a real one's last line."""
    prelude = (
        "import hashlib, json, os, signal, sys, time\n"
        "job_path, result_path = sys.argv[1:]\n"
        "def announce(content):\n"
        "    print('POCKETCLIP-RESULT', len(content), hashlib.sha256(content).hexdigest(), flush=True)\n"
    )
    return lambda source: build_archive({"__main__.py": (prelude + source).encode()})


@pytest.fixture
def rewrite_manifest() -> Callable[..., None]:
    """Changes fields of an artefact's manifest on disk without touching its files."""

    def rewrite(artifact: Artifact, **changes: object) -> None:
        path = artifact.folder / MANIFEST_NAME
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return rewrite


class RecordMaker:
    """Made-up records, the same for the same calls; each is a minute younger than the last."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(11)
        self.clock = (f"2026-03-01T{m // 60:02d}:{m % 60:02d}:00.000000+00:00" for m in itertools.count())

    def parity(self, **changes: object) -> ParityReport:
        return parity_report(**changes)

    def launch(self, median_ms: float, iterations: int = 60) -> Launch:
        drift = 1 + self.random.normal(0, 0.03)
        steady = median_ms * 1e6 * drift * (1 + self.random.gamma(1.2, 0.03, iterations))
        baseline = 60_000_000
        return Launch(
            started_at="2026-03-01T00:00:00+00:00",
            load_average=0.1,
            import_ns=400_000_000,
            load_ns=int(median_ms * 9e6),
            first_inference_ns=int(median_ms * 2.5e6),
            warmup_ns=tuple(int(value) for value in steady[:15] * 1.2),
            warmup_stationary=True,
            steady_ns=tuple(int(value) for value in steady),
            baseline_bytes=baseline,
            loaded_bytes=baseline + 15_000_000,
            peak_before_load_bytes=baseline,
            peak_bytes=baseline + int(20_000_000 * drift),
            end_bytes=baseline + 18_000_000,
            peak_reset=True,
        )

    def throughput(self, like: BenchmarkRecord, *, decoders: int = 1, launches: int = 5) -> ThroughputRecord:
        """Of the same artefact and machine as a record."""
        before = MachineState(like.created_at)
        return ThroughputRecord(
            artifact=like.artifact,
            device=like.device,
            runtime=RuntimeFacts("onnxruntime", "onnxruntime 1.32.0", "cpu", None),
            photographs=PhotoSet(200, 3_000_000, 12_000_000, "b" * 64),
            threads=1,
            decoders=decoders,
            launches=tuple(
                ThroughputLaunch(1000, 5 * 10**9 + launch, 62 * 10**6, 3 * 10**6, 12_300_000, before)
                for launch in range(launches)
            ),
            record_id=like.record_id,
            created_at=like.created_at,
            tool_version=like.tool_version,
        )

    def benchmark(
        self,
        target: TargetName = TargetName.ONNX,
        precision: Precision = Precision.FP32,
        tower: Tower = Tower.IMAGE,
        *,
        status: Status = Status.MEASURED,
        reason: str | None = None,
        median_ms: float = 3.0,
        size_bytes: int = 11_000_000,
        launches: int = 3,
        parity: ParityReport | None = None,
        weights_sha256: str = "9" * 64,
        device: str = "host",
        threads: int = 1,
    ) -> BenchmarkRecord:
        measured = status is Status.MEASURED
        return BenchmarkRecord(
            artifact=ArtifactIdentity(
                "pocketclip_nano",
                tower,
                target,
                precision,
                "a" * 64,
                weights_sha256,
                size_bytes,
                f"{target}-{precision}",
            ),
            device=DeviceFacts(
                device,
                DeviceKind.HOST,
                "Debian 12, Linux 6.1",
                "x86_64",
                "Example CPU",
                ("avx2", "fma"),
                4,
                8 << 30,
            ),
            runtime=RuntimeFacts(f"{target}-runtime", "1.2.3", "cpu", None),
            settings=RunSettings(launches=launches, threads=threads),
            status=status,
            reason=reason,
            launches=tuple(self.launch(median_ms) for _ in range(launches)) if measured else (),
            parity=parity or parity_report(),
            golden_check=None if status is Status.FAILED else GoldenCheck(8, 0.99998, 1e-4, 0.999999),
            agent_sha256="f" * 64 if measured else None,
            tool_version="0.1.0",
            record_id=new_record_id(),
            created_at=next(self.clock),
        )

    def accuracy(
        self,
        target: TargetName | None = TargetName.ONNX,
        precision: Precision = Precision.FP32,
        *,
        correct: int = 1800,
        baseline: int = 1800,
        samples: int = 2000,
        weights_sha256: str = "9" * 64,
        dataset: str = "scenes",
        model: str = "pocketclip_nano",
        compared_with: Side | None = None,
    ) -> AccuracyRecord:
        """Artefacts are compared with PyTorch on the same weights, PyTorch with nothing, unless a side is given."""
        own = Side(model, None, Precision.FP32, None, None, weights_sha256)
        side = compared_with or (own if target is not None else None)
        accuracy = correct / samples
        return AccuracyRecord(
            model=model,
            target=target,
            precision=precision,
            image_sha256="a" * 64 if target is not None else None,
            text_sha256="b" * 64 if target is not None else None,
            weights_sha256=weights_sha256,
            dataset=dataset,
            split="test",
            dataset_sha256="d" * 64,
            templates="scenes",
            prompts_sha256="8" * 64,
            samples=samples,
            skipped=(),
            classes=64,
            correct=correct,
            accuracy=accuracy,
            accuracy_low=max(0.0, accuracy - 0.014),
            accuracy_high=min(1.0, accuracy + 0.013),
            top5_correct=samples,
            top5_accuracy=1.0,
            top5_low=0.99,
            top5_high=1.0,
            chance=1 / 64,
            comparison=None if side is None else self.comparison(side, correct, baseline, samples),
            executed_by="onnxruntime 1.32.0" if target is not None else "torch 2.10.0",
            tool_version="0.1.0",
            record_id=new_record_id(),
            created_at=next(self.clock),
        )

    def comparison(self, side: Side, correct: int, baseline: int, samples: int) -> Comparison:
        """Eight samples more than needed are lost, and eight won."""
        drop = 100 * (baseline - correct) / samples
        lost, won = max(0, baseline - correct) + 8, max(0, correct - baseline) + 8
        p_value = float(binomtest(lost, lost + won).pvalue)
        return Comparison(side, baseline, lost, won, min(1.0, p_value), drop, drop - 0.3, drop + 0.3)

    def retrieval(self, target: TargetName | None = None, *, drop_points: float | None = None) -> RetrievalRecord:
        baseline = Side("pocketclip_nano", None, Precision.FP32, None, None, "9" * 64)
        low, high = (None, None) if drop_points is None else (drop_points - 1, drop_points + 1)
        return RetrievalRecord(
            model="pocketclip_nano",
            target=target,
            precision=Precision.FP32,
            image_sha256="a" * 64 if target is not None else None,
            text_sha256="b" * 64 if target is not None else None,
            weights_sha256="9" * 64,
            dataset="retrieval:pairs.csv",
            split="all",
            dataset_sha256="d" * 64,
            images=500,
            captions=2500,
            skipped=(),
            recalls=tuple(
                Recall(direction, k, 0.4, 0.35, 0.45, drop_points, low, high) for direction in Direction for k in (1, 5)
            ),
            baseline=baseline if target is not None else None,
            executed_by="torch 2.10.0",
            tool_version="0.1.0",
            record_id=new_record_id(),
            created_at=next(self.clock),
        )


@pytest.fixture
def make() -> RecordMaker:
    """A maker of records."""
    return RecordMaker()
