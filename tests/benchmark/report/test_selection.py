"""Which records a report shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pocketclip.benchmark.errors import ReportError
from pocketclip.benchmark.records.accuracy import Side
from pocketclip.benchmark.records.benchmark import LoadMode, Status
from pocketclip.benchmark.report.names import conditions
from pocketclip.benchmark.report.pairs import is_alarming
from pocketclip.benchmark.report.selection import select
from pocketclip.export.precision import Precision, TargetName, Tower


def test_empty_store_says_what_to_do() -> None:
    with pytest.raises(ReportError, match="measure an artefact with `bench` first"):
        select([], [])


def test_latest_record_of_each_device_and_artefact_stands(make: Any) -> None:
    old, phone, new = make.benchmark(), make.benchmark(device="phone"), make.benchmark()
    (selection,) = select([new, old, phone], [])
    assert set(selection.benchmarks) == {new, phone}
    assert selection.devices == ["host", "phone"]


def test_thread_counts_stand_side_by_side(make: Any) -> None:
    (selection,) = select([make.benchmark(threads=2), make.benchmark(threads=1)], [])
    assert [record.settings.threads for record in selection.benchmarks] == [1, 2]


def test_results_of_older_weights_are_left_out_and_counted(make: Any) -> None:
    records = [make.benchmark(TargetName.TFLITE, weights_sha256="old"), make.benchmark(TargetName.ONNX)]
    (selection,) = select(records, [make.accuracy(weights_sha256="old")])
    # The accuracy record is the youngest: its weights are the model's latest.
    assert [record.artifact.target for record in selection.benchmarks] == ["tflite"]
    assert (len(selection.accuracies), selection.older_weights) == (1, 1)


def test_models_are_kept_apart(make: Any) -> None:
    other = make.benchmark()
    other = replace(other, artifact=replace(other.artifact, model="mobileclip_s0", weights_sha256="s0"))
    assert [selection.model for selection in select([make.benchmark(), other], [])] == [
        "mobileclip_s0",
        "pocketclip_nano",
    ]


def test_pairs_add_both_towers_and_know_what_is_sound(make: Any) -> None:
    image, text = make.benchmark(median_ms=3.0), make.benchmark(tower=Tower.TEXT, median_ms=1.0)
    lonely = make.benchmark(TargetName.TFLITE)
    (selection,) = select([image, text, lonely], [make.accuracy()])
    (pair,) = selection.pairs("host")
    assert pair.latency_ns == pytest.approx(4e6, rel=0.2)
    assert pair.size_bytes == 22_000_000
    assert pair.sound
    assert pair.accuracy is not None


def test_pair_with_an_alarming_drop_or_a_failed_tower_is_not_sound(make: Any) -> None:
    image, text = make.benchmark(), make.benchmark(tower=Tower.TEXT)
    (selection,) = select([image, text], [make.accuracy(correct=1700)])
    assert not selection.pairs("host")[0].sound
    crashed = make.benchmark(tower=Tower.TEXT, status=Status.FAILED, reason="crashed")
    (selection,) = select([image, crashed], [])
    (pair,) = selection.pairs("host")
    assert (pair.failed, pair.sound, pair.latency_ns) == (True, False, None)


def test_table_order_is_that_of_the_vocabulary(make: Any) -> None:
    records = [
        make.benchmark(target, precision, tower)
        for target in (TargetName.TFLITE, TargetName.ONNX)
        for precision in (Precision.INT8_STATIC, Precision.FP32)
        for tower in (Tower.TEXT, Tower.IMAGE)
    ]
    (selection,) = select(records, [])
    assert [(r.artifact.target, r.artifact.precision, r.artifact.tower) for r in selection.benchmarks][:3] == [
        ("onnx", "fp32", "image"),
        ("onnx", "fp32", "text"),
        ("onnx", "int8-static", "image"),
    ]


def test_headline_is_the_set_on_which_most_pairs_were_judged(make: Any) -> None:
    image, text = make.benchmark(), make.benchmark(tower=Tower.TEXT)
    scenes = [make.accuracy(None), make.accuracy(correct=1790)]
    others = [make.accuracy(None, dataset="imagenet", correct=100), make.accuracy(None, dataset="imagenet-a")]
    (selection,) = select([image, text], [*scenes, *others])
    assert set(selection.headline) == set(scenes)
    assert selection.pairs("host")[0].accuracy == scenes[1]
    judged = make.accuracy(dataset="imagenet", correct=101, baseline=100)
    (selection,) = select([image, text], [*scenes, *others, judged])
    assert set(selection.headline) == {others[0], judged}
    assert len(selection.accuracies) == 5


def test_of_equal_sets_the_headline_is_the_latest_not_one_dated_in_the_future(make: Any) -> None:
    future = replace(make.accuracy(dataset="birds"), created_at="2999-01-01T00:00:00+00:00")
    latest = make.accuracy(dataset="flowers")
    (selection,) = select([make.benchmark(), make.benchmark(tower=Tower.TEXT)], [future, latest])
    assert selection.headline == (latest,)


def test_comparison_with_another_model_stands_beside_the_one_with_pytorch(make: Any) -> None:
    other = Side("mobileclip_s0", None, Precision.FP32, None, None, "s" * 64)
    own, foreign = make.accuracy(correct=1795), make.accuracy(correct=1795, baseline=1900, compared_with=other)
    (selection,) = select([make.benchmark(), make.benchmark(tower=Tower.TEXT)], [own, foreign])
    assert set(selection.accuracies) == {own, foreign}
    # Losing five points against a better model is no fault of the export.
    assert not is_alarming(foreign)
    assert selection.headline == (own,)
    assert selection.pairs("host")[0].sound


def test_an_invalid_run_replaces_no_valid_one(make: Any, parts: Any) -> None:
    good, bad = make.benchmark(), parts.invalid(make.benchmark())
    (selection,) = select([good, bad], [])
    assert (selection.benchmarks, selection.invalid) == ((good,), (bad,))


def test_a_later_valid_run_takes_invalid_ones_off(make: Any, parts: Any) -> None:
    bad, good = parts.invalid(make.benchmark()), make.benchmark()
    (selection,) = select([bad, good], [])
    assert (selection.benchmarks, selection.invalid) == ((good,), ())


def test_where_no_run_is_valid_the_latest_stands_and_all_are_listed(make: Any, parts: Any) -> None:
    runs = [parts.invalid(make.benchmark()) for _ in range(3)]
    (selection,) = select(runs, [])
    assert selection.benchmarks == (runs[2],)
    assert selection.invalid_on("host") == runs[::-1]


def test_a_failure_is_no_invalid_run(make: Any, parts: Any) -> None:
    earlier = make.benchmark()
    failed = parts.invalid(make.benchmark(status=Status.FAILED, reason="crashed"))
    (selection,) = select([earlier, failed], [])
    assert (selection.benchmarks, selection.invalid) == ((failed,), ())


def test_schemes_and_core_sets_stand_side_by_side(make: Any) -> None:
    usual = make.benchmark()
    mixed = replace(make.benchmark(), artifact=replace(usual.artifact, scheme="onnx-fp32-mixed"))
    pinned = make.benchmark()
    pinned = replace(pinned, settings=replace(pinned.settings, cores=(2, 3)))
    (selection,) = select([usual, mixed, pinned], [])
    assert set(selection.benchmarks) == {usual, mixed, pinned}


def test_a_record_without_scheme_is_of_the_usual_form(make: Any) -> None:
    old, new = make.benchmark(), make.benchmark()
    new = replace(new, artifact=replace(new.artifact, scheme="onnx-fp32"))
    assert select([old, new], [])[0].benchmarks == (new,)


def test_accuracy_of_a_mixed_artefact_is_not_that_of_the_usual_one(make: Any) -> None:
    def scheme(record: Any, name: str, sha256: str) -> Any:
        return replace(record, artifact=replace(record.artifact, scheme=name, sha256=sha256))

    towers = (Tower.IMAGE, Tower.TEXT)
    usual = [scheme(make.benchmark(tower=tower), "onnx-fp32", f"usual-{tower}") for tower in towers]
    mixed = [scheme(make.benchmark(tower=tower), "onnx-fp32-mixed", f"mixed-{tower}") for tower in towers]
    of_usual = replace(make.accuracy(correct=1790), image_sha256="usual-image", text_sha256="usual-text")
    of_mixed = replace(make.accuracy(correct=1700), image_sha256="mixed-image", text_sha256="mixed-text")
    (selection,) = select([*usual, *mixed], [of_usual, of_mixed])
    assert [pair.accuracy for pair in selection.pairs("host")] == [of_usual, of_mixed]


def test_another_way_to_run_an_artefact_does_not_replace_it(make: Any) -> None:
    def asked(record: Any, accelerator: str, load_mode: LoadMode) -> Any:
        settings = replace(record.settings, accelerator=accelerator, load_mode=load_mode)
        runtime = replace(record.runtime, accelerator_requested=accelerator)
        return replace(record, settings=settings, runtime=runtime)

    ways = [("cpu", LoadMode.FILE), ("nnapi", LoadMode.FILE), ("cpu", LoadMode.MMAP)]
    records = [asked(make.benchmark(), *way) for way in ways]
    (selection,) = select(records, [])
    assert set(selection.benchmarks) == set(records)
    assert [conditions(record) for record in records] == ["", "nnapi", "loaded by mmap"]


def test_two_machines_of_one_name_are_two_devices(make: Any) -> None:
    def instance(record: Any, name: str | None) -> Any:
        return replace(record, device=replace(record.device, instance=name))

    first, second, untold = (instance(make.benchmark(), name) for name in ("abcdef12", "fedcba98", None))
    (selection,) = select([first, second, untold], [])
    assert selection.devices == ["host (abcdef)", "host (fedcba)", "host (instance unknown)"]
    (selection,) = select([untold, first], [])
    assert (selection.devices, selection.benchmarks) == (["host"], (untold,))


def test_a_profile_of_an_earlier_run_of_the_same_file_is_still_shown(make: Any, parts: Any) -> None:
    profiled, plain = parts.profiled(make.benchmark()), make.benchmark()
    (selection,) = select([profiled, plain], [])
    assert selection.benchmarks == (plain,)
    assert selection.latest_with("host", lambda record: record.profile) == [profiled]
    exported_anew = replace(plain, artifact=replace(plain.artifact, sha256="n" * 64))
    (selection,) = select([profiled, exported_anew], [])
    assert selection.latest_with("host", lambda record: record.profile) == []


def test_times_of_an_emulated_core_are_no_part(make: Any, parts: Any) -> None:
    counted = parts.profiled(parts.prepared(parts.counted(make.benchmark())))
    (selection,) = select([counted], [])
    assert selection.latest_with("emulator-arm64", lambda record: record.preparation) == []
    assert selection.latest_with("emulator-arm64", lambda record: record.profile) == []
