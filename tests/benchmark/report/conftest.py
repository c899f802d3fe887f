"""Records with every part a report shows, made up from a seed, and a store of several models and devices."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, sync_playwright

from pocketclip.benchmark.records.accuracy import AccuracyRecord, RetrievalRecord
from pocketclip.benchmark.records.benchmark import BenchmarkRecord, DeviceKind, Status
from pocketclip.benchmark.records.launch import MachineState, Minute
from pocketclip.benchmark.records.profile import InstructionCounts, OpProfile, OpTime, Preparation, PreparationStep
from pocketclip.benchmark.records.validity import InvalidityCode, invalidity
from pocketclip.benchmark.report.comparison import Baseline
from pocketclip.benchmark.statistics.summaries import summarize_latency
from pocketclip.export.precision import Precision, TargetName, Tower

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class PartMaker:
    """Adds to records what passes of their own find."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(23)

    def counted(self, record: BenchmarkRecord, millions: float = 48.4, *, spread: float = 2e-5) -> BenchmarkRecord:
        """The record as an emulated phone would leave it: three processes of five inferences."""
        counts = tuple(
            tuple(int(1e6 * millions * (1 + spread * (process - 1))) + inference for inference in range(5))
            for process in range(3)
        )
        return replace(
            record,
            status=Status.COUNTED,
            reason=None,
            launches=(),
            instructions=InstructionCounts("cortex-a76", counts, 3),
            device=replace(record.device, name="emulator-arm64", kind=DeviceKind.EMULATED, cpu="Cortex-A76 (QEMU)"),
        )

    def sustained(self, record: BenchmarkRecord, minutes: int = 10, *, told: bool = True) -> BenchmarkRecord:
        """A run in which the machine grows hot and slow; `told`: the device gives clock and temperature."""
        middle = float(np.median(record.launches[0].steady_ns))
        kept = tuple(
            Minute(
                tuple(int(value) for value in middle * (1 + 0.05 * minute) * (1 + self.random.gamma(1.2, 0.03, 40))),
                MachineState(
                    at=f"2026-03-01T01:{minute:02}:00+00:00",
                    clock_khz=(2_850_000 - 90_000 * minute, 1_800_000) if told else (),
                    temperature_celsius=41.0 + 2.7 * minute if told else None,
                ),
            )
            for minute in range(minutes)
        )
        return replace(record, sustained=replace(record.launches[0], minutes=kept))

    def profiled(self, record: BenchmarkRecord, delegate: str | None = "XNNPACK") -> BenchmarkRecord:
        """Fourteen kinds of ops, those of every third kind outside the delegate; 8 % of the time between ops."""
        kinds = ("Conv2D", "DepthwiseConv2D", "FullyConnected", "Softmax", "Add", "Mul", "Gelu")
        kinds += ("LayerNorm", "Transpose", "Reshape", "Gather", "Mean", "Pad", "Cast")
        ops = tuple(
            OpTime(f"{kind}_{copy}", kind, None if index % 3 == 2 else delegate, 20, int(9e6 / (index + 1) ** 1.4))
            for index, kind in enumerate(kinds)
            for copy in range(3)
        )
        total = sum(op.total_ns for op in ops)
        return replace(record, profile=OpProfile("LiteRT op profiler", (int(total / 0.92 / 20),) * 20, ops))

    def prepared(self, record: BenchmarkRecord) -> BenchmarkRecord:
        """Preprocessing for an image tower, tokenising for a text tower."""
        image = record.artifact.tower is Tower.IMAGE
        step = PreparationStep.PREPROCESS if image else PreparationStep.TOKENIZE
        samples = (1.4e6 if image else 6e4) * (1 + self.random.gamma(1.2, 0.05, 50))
        return replace(record, preparation=Preparation(step, "numpy 2.3.5", tuple(int(value) for value in samples)))

    def invalid(self, record: BenchmarkRecord, *codes: InvalidityCode) -> BenchmarkRecord:
        """The record as one that may not be ranked."""
        chosen = codes or (InvalidityCode.BUSY,)
        found = tuple(invalidity(code, f"what showed {code} (in 3 of 3 launches)") for code in chosen)
        return replace(record, invalid=found)


@pytest.fixture
def parts() -> PartMaker:
    """A maker of the parts of records."""
    return PartMaker()


@dataclass(frozen=True)
class HandMade:
    """A comparison as a report wants it: by medians alone, with an interval that is made up."""

    verdict: str
    ratio: float
    interval: tuple[float, float] | None


def compare_medians(baseline: BenchmarkRecord, candidate: BenchmarkRecord) -> HandMade:
    """Faster or slower beyond 5 %."""
    before, now = (summarize_latency(record.launches).launch_median_ns for record in (baseline, candidate))
    ratio = now / before
    verdict = "faster" if ratio < 0.95 else "slower" if ratio > 1.05 else "cannot-tell"
    return HandMade(verdict, ratio, (ratio - 0.03, ratio + 0.03))


@pytest.fixture
def baseline() -> Baseline:
    """The records tagged v1, compared by their medians."""
    return Baseline("v1", compare_medians)


Store = tuple[list[BenchmarkRecord], list[AccuracyRecord], list[RetrievalRecord]]


@pytest.fixture
def rich_store(make: Any, parts: PartMaker) -> Store:
    """Two models, on a host, a phone and an emulated phone; every status, every part, a tag, invalid runs."""
    missed = make.parity(cosine_min=0.917, failures=("cosine_min 0.917 is below 0.92", "snr_db 12 is below 13"))
    schemes = (
        (TargetName.ONNX, Precision.FP32, 4.0, 2.0, 6_100_000, 1800),
        (TargetName.ONNX, Precision.INT8_STATIC, 2.6, 1.1, 1_600_000, 1770),
        (TargetName.EXECUTORCH, Precision.FP32, 4.6, 2.4, 6_000_000, 1799),
        (TargetName.TFLITE, Precision.FP32, 3.4, 1.9, 6_050_000, 1800),
        (TargetName.TFLITE, Precision.INT8_STATIC, 2.1, 0.9, 1_700_000, 1792),
    )
    benchmarks: list[BenchmarkRecord] = []
    accuracies: list[AccuracyRecord] = []
    for model, factor in (("pocketclip_nano", 1.0), ("mobileclip_s0", 9.0)):
        named: list[BenchmarkRecord] = []
        for device, share in (("host", 1.0), ("pixel7", 1.7)):
            for target, precision, image_ms, text_ms, size, _ in schemes:
                for tower, milliseconds in ((Tower.IMAGE, image_ms), (Tower.TEXT, text_ms)):
                    for tag, slower in (("v1", 1.12 if target is TargetName.TFLITE else 1.0), (None, 1.0)):
                        record = make.benchmark(
                            target,
                            precision,
                            tower,
                            median_ms=milliseconds * factor * share * slower,
                            size_bytes=int(size * factor),
                            device=device,
                            launches=4,
                            parity=missed if precision is Precision.INT8_STATIC and target is TargetName.ONNX else None,
                        )
                        record = parts.prepared(replace(record, tag=tag))
                        if target is TargetName.TFLITE and tower is Tower.IMAGE:
                            record = parts.profiled(parts.sustained(record, told=device == "pixel7"))
                        if target is TargetName.ONNX and tower is Tower.IMAGE and precision is Precision.FP32:
                            record = parts.profiled(record, None)
                        named.append(record)
        named += [
            make.benchmark(
                TargetName.COREML, Precision.FP16, tower, status=Status.PARITY_ONLY, reason="Core ML on Linux"
            )
            for tower in Tower
        ]
        named += [
            parts.counted(make.benchmark(target, Precision.INT8_STATIC, tower), 40 * factor, spread=spread)
            for target, spread in ((TargetName.ONNX, 2e-5), (TargetName.TFLITE, 3e-3))
            for tower in Tower
        ]
        named.append(
            make.benchmark(
                TargetName.EXECUTORCH, Precision.INT8_STATIC, status=Status.FAILED, device="pixel7",
                reason="the measuring agent left no result.json: it was ended by SIGSEGV (exit code -11)",
            )
        )  # fmt: skip
        hot = make.benchmark(TargetName.ONNX, Precision.INT8_DYNAMIC, median_ms=9.0, device="pixel7")
        named.append(parts.invalid(hot, InvalidityCode.HOT, InvalidityCode.THROTTLED))
        named.append(parts.invalid(make.benchmark(TargetName.ONNX, Precision.FP32, median_ms=0.1)))
        for record in named:
            facts = record.device
            if facts.name == "pixel7":
                facts = replace(facts, kind=DeviceKind.PHONE, soc="Google Tensor G2", machine="aarch64")
            benchmarks.append(replace(record, device=facts, artifact=replace(record.artifact, model=model)))
        accuracies += [
            make.accuracy(None, model=model),
            *(make.accuracy(target, precision, correct=right, model=model) for target, precision, *_, right in schemes),
            make.accuracy(TargetName.COREML, Precision.FP16, model=model),
        ]
    return benchmarks, accuracies, [make.retrieval(), make.retrieval(TargetName.ONNX, drop_points=2.0)]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium, as the system has it."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium to open the page with")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
        )
        yield opened
        opened.close()
