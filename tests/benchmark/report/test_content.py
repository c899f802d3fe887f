"""What the page words from records."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pocketclip.benchmark.api.bench_options import BenchOptions, run_settings
from pocketclip.benchmark.records.accuracy import Side
from pocketclip.benchmark.report.content import build_report
from pocketclip.benchmark.report.material import Material
from pocketclip.benchmark.report.render import render
from pocketclip.benchmark.report.table import Table
from pocketclip.export.precision import Precision, TargetName


def cells(table: Table) -> dict[str, list[str]]:
    """The texts of a table by its columns' headings."""
    return {column.heading: [row.cells[index].text for row in table.rows] for index, column in enumerate(table.columns)}


@pytest.mark.parametrize(("load", "busy"), [(1.4, False), (3.2, True), (None, False)])
def test_busy_device_is_told(make: Any, load: float | None, busy: bool) -> None:
    record = make.benchmark(launches=2)
    launches = tuple(replace(launch, load_average=load) for launch in record.launches)
    report = build_report(Material([replace(record, launches=launches)]))
    cautions = report.models[0].devices[0].cautions
    assert any("busy at the start of 2 of 2 launches" in caution for caution in cautions) is busy


def test_restless_and_emulated_launches_are_told(make: Any) -> None:
    record = make.benchmark(launches=2)
    launches = (replace(record.launches[0], warmup_stationary=False), record.launches[1])
    emulated = replace(record.device, kind="emulated")
    report = build_report(Material([replace(record, launches=launches, device=emulated)]))
    cautions = " ".join(report.models[0].devices[0].cautions)
    assert "1 of 2 launches were not steady" in cautions
    assert "This device is emulated" in cautions


@pytest.mark.parametrize(("machine", "told"), [("x86_64", True), ("AMD64", True), ("aarch64", False)])
def test_half_floats_on_x86_are_no_figures_for_phones(make: Any, machine: str, told: bool) -> None:
    record = make.benchmark()
    device = replace(record.device, machine=machine)
    for precision in (Precision.FP16, Precision.FP32):
        artifact = replace(record.artifact, precision=precision)
        report = build_report(Material([replace(record, artifact=artifact, device=device)]))
        cautions = " ".join(report.models[0].devices[0].cautions)
        assert ("fp16 computes in float on x86" in cautions) == (told and precision is Precision.FP16)


def test_every_missed_budget_is_in_the_alarms_and_marked_in_the_table(make: Any) -> None:
    failures = ("cosine_min 0.8 is below 0.92", "snr_db 6 is below 13")
    report = build_report(Material([make.benchmark(parity=make.parity(failures=failures))]))
    (model,) = report.models
    assert all(failure in model.alarms[0].words for failure in failures)
    table = model.devices[0].artifacts
    assert table is not None
    assert cells(table)["Parity"] == ["fail"]


def test_environment_is_that_of_the_latest_record_not_of_a_future_one(make: Any) -> None:
    future = replace(make.benchmark(threads=3), created_at="2999-01-01T00:00:00+00:00")
    (environment,) = build_report(Material([future, make.benchmark(threads=2)])).environments
    assert "--threads 2" in environment.command


def test_environment_repeats_the_command(make: Any) -> None:
    (environment,) = build_report(Material([make.benchmark(threads=2, launches=4)])).environments
    assert (
        environment.command
        == "pocketclip bench --device host --artifact artifacts --threads 2 --iterations 100 --launches 4"
    )
    assert dict(environment.facts)["Instruction sets"] == "avx2, fma"


def test_the_commands_options_make_the_records_settings(make: Any) -> None:
    record = make.benchmark(launches=5)
    asked = BenchOptions(
        cores="0-2", until="1%", budget="1h30m", sustained="10.5s", min_seconds=0.5, load_mode="mmap", accelerator="gpu"
    )
    (settings,) = run_settings(asked, logical_cores=4)
    (environment,) = build_report(Material([replace(record, settings=settings)])).environments
    words = environment.command.split()[2:]
    pairs = zip(words[::2], words[1::2], strict=True)
    given = {option.removeprefix("--").replace("-", "_"): value for option, value in pairs}
    assert (given.pop("device"), given.pop("artifact")) == ("host", "artifacts")
    assert (given["cores"], given["until"], given["sustained"]) == ("0,1,2", "0.01", "10.5s")
    numbers = {"iterations": int, "launches": int, "min_seconds": float}
    again = BenchOptions(**{name: numbers.get(name, str)(value) for name, value in given.items()})
    assert run_settings(again, logical_cores=4) == (settings,)


def test_older_weights_are_counted(make: Any) -> None:
    records = [make.benchmark(weights_sha256="old"), make.benchmark()]
    assert build_report(Material(records)).models[0].older_weights == 1


def test_each_data_set_has_a_table(make: Any) -> None:
    published = {"model": "mobileclip_s0", "dataset": "imagenet"}
    records = [make.accuracy(None), make.accuracy(), make.accuracy(None, **published), make.accuracy(**published)]
    nano, apple = sorted(build_report(Material(accuracies=records)).models, key=lambda model: model.name, reverse=True)
    (scenes,), (imagenet,) = nano.accuracy_tables, apple.accuracy_tables
    assert scenes.caption.startswith("Zero-shot classification on scenes, split test: 2,000 images, 64 classes")
    assert "Published" not in cells(scenes)
    assert cells(imagenet)["Published"][1].startswith("67.8")
    assert cells(imagenet)["Judgement"][1] == "no loss beyond 1 point"


def test_judgements_name_a_foreign_baseline_and_follow_the_test(make: Any) -> None:
    other = Side("open_clip-ViT-B-16", None, Precision.FP32, None, None, "o" * 64)
    records = [
        make.accuracy(correct=1785),
        make.accuracy(precision=Precision.INT8_STATIC, correct=1760),
        make.accuracy(precision=Precision.FP16, correct=1700, baseline=1500, compared_with=other),
    ]
    (table,) = build_report(Material(accuracies=records)).models[0].accuracy_tables
    judgements = dict(zip(cells(table)["Precision"], cells(table)["Judgement"], strict=True))
    assert judgements["int8-static"] == "loses more than 1 point"
    assert judgements["fp16"] == "gains, against open_clip-ViT-B-16"
    assert judgements["fp32"] == "loses"


def test_retrieval_table(make: Any) -> None:
    records = [make.retrieval(), make.retrieval(TargetName.ONNX, drop_points=2.0)]
    html = render(Material(retrievals=records))
    assert "Retrieval on retrieval:pairs.csv, split all: 500 images, 2,500 captions" in html
    assert "recall@1 loses, recall@5 loses" in html
    assert html.count("text-<wbr>to-<wbr>image") == 2


def test_a_record_dated_in_the_future_is_told_and_is_not_the_newest(make: Any) -> None:
    sound = make.benchmark()
    wrong = replace(make.benchmark(TargetName.TFLITE), created_at="2099-01-01T00:00:00.000000+00:00")
    report = build_report(Material([sound, wrong]))
    assert report.newest.startswith(sound.created_at[:10])
    words = [alarm.words for alarm in report.models[0].alarms if "dated in the future" in alarm.words]
    assert len(words) == 1 and words[0].startswith("1 record is dated in the future (up to 2099-01-01)")
    assert not [alarm for alarm in build_report(Material([sound])).models[0].alarms if "future" in alarm.words]
