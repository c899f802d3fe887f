"""Files of results hold whole records, and a damaged one is refused by the name of what is wrong in it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pocketclip.benchmark.errors import PocketClipError, RecordError, RecordVersionError, ResultsFileError
from pocketclip.benchmark.records.benchmark import BENCHMARK_SCHEMA_VERSION, BenchmarkRecord, Status
from pocketclip.benchmark.results.csv_files import RECORD_COLUMNS, SAMPLE_COLUMNS
from pocketclip.benchmark.results.files import FileFormat, format_of, read_results, render
from pocketclip.benchmark.statistics.summaries import summarize_latency
from pocketclip.benchmark.store import RecordText, check_texts
from pocketclip.benchmark.store.codec import decode, encode

WHOLE = [FileFormat.JSON, FileFormat.JSONL, FileFormat.CSV]


def rows_of(content: str) -> list[dict[str, str]]:
    csv.field_size_limit(10**9)
    return list(csv.DictReader(io.StringIO(content, newline=""), strict=True))


@pytest.mark.parametrize("form", WHOLE)
def test_round_trip_keeps_every_text(texts: list[RecordText], tmp_path: Path, form: FileFormat) -> None:
    path = tmp_path / f"results.{form}"
    path.write_text(render(texts, form), encoding="utf-8")
    assert format_of(path) is form
    back = list(read_results(path))
    # Texts and not records: also those of schema 1 stay as they were written.
    assert [text.text for text in back] == [text.text for text in texts]
    assert back == texts


@pytest.mark.parametrize("form", WHOLE)
def test_no_records_at_all(tmp_path: Path, form: FileFormat) -> None:
    path = tmp_path / f"results.{form}"
    path.write_text(render([], form))
    assert list(read_results(path)) == []


@pytest.mark.parametrize("form", WHOLE)
def test_record_of_many_samples(make: Any, tmp_path: Path, form: FileFormat) -> None:
    """More than the 128 KiB that Python's reader of CSV takes by default in a cell."""
    text = encode(make.benchmark(launches=400))
    path = tmp_path / f"results.{form}"
    path.write_text(render([text], form))
    assert len(text.text) > 1 << 17
    assert list(read_results(path)) == [text]


@pytest.mark.parametrize("wrap", [lambda record: [record], lambda record: record], ids=["list", "single"])
def test_other_documents_of_records(texts: list[RecordText], tmp_path: Path, wrap: Callable[[Any], Any]) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps(wrap(json.loads(texts[1].text)), indent=2), encoding="utf-8-sig")
    assert list(read_results(path)) == texts[1:2]


def test_csv_has_a_row_a_record_with_its_figures(texts: list[RecordText]) -> None:
    rows = rows_of(render(texts, FileFormat.CSV))
    assert tuple(rows[0]) == RECORD_COLUMNS
    assert [row["record_id"] for row in rows] == [text.record_id for text in texts]
    for row, record in zip(rows, map(decode, texts), strict=True):
        if not isinstance(record, BenchmarkRecord):
            assert (row["p50_ns"], row["status"], row["valid"]) == ("", "", "")
        elif record.status is Status.MEASURED:
            summary = summarize_latency(record.launches)
            for name in ("p50_ns", "p90_ns", "p95_ns", "p99_ns"):
                assert float(row[name]) == getattr(summary, name)
            assert int(row["samples"]) == summary.samples == 180
    old, plain, tagged, parity_only, failed, counted, accuracy, retrieval = rows
    assert (old["accuracy"], old["target"]) == ("0.840625", "")
    assert (plain["valid"], plain["invalid"], plain["tag"]) == ("True", "", "")
    assert (tagged["valid"], tagged["invalid"], tagged["tag"]) == ("False", "busy", 'v1, "final"\nof März')
    assert (tagged["scheme"], tagged["instance"], tagged["tower"]) == ("tflite-int8-static-mixed", "b7", "text")
    assert (parity_only["status"], parity_only["p50_ns"], parity_only["samples"]) == ("parity-only", "", "0")
    assert (failed["status"], failed["reason"]) == ("failed", "load-failed: no such file")
    assert (counted["instructions"], counted["p50_ns"]) == ("5000100.0", "")
    assert (accuracy["accuracy"], accuracy["dataset"]) == ("0.9", "scenes")
    assert (retrieval["recall_at_1_image_to_text"], retrieval["accuracy"]) == ("0.4", "")


def test_samples_are_rows_of_their_own(texts: list[RecordText]) -> None:
    rows = rows_of(render(texts, FileFormat.SAMPLES))
    assert tuple(rows[0]) == SAMPLE_COLUMNS
    measured = {record.record_id: record for record in map(decode, texts) if isinstance(record, BenchmarkRecord)}
    assert len(rows) == 2 * 3 * 60
    for record in measured.values():
        for number, launch in enumerate(record.launches):
            found = [
                (int(row["iteration"]), int(row["inference_ns"]))
                for row in rows
                if (row["record_id"], row["launch"]) == (record.record_id, str(number))
            ]
            assert found == list(enumerate(launch.steady_ns))


def test_samples_in_a_data_frame(texts: list[RecordText]) -> None:
    pandas: Any = pytest.importorskip("pandas", reason="pandas comes with the converter of LiteRT")
    frame = pandas.read_csv(io.StringIO(render(texts, FileFormat.SAMPLES)))
    medians = frame.groupby("record_id").inference_ns.median()
    record = decode(texts[1])
    assert isinstance(record, BenchmarkRecord)
    assert medians[record.record_id] == np.median([value for each in record.launches for value in each.steady_ns])


def change(record: dict[str, Any], path: str, value: Any) -> None:
    *keys, last = path.split(".")
    for key in keys:
        record = record[int(key)] if isinstance(record, list) else record[key]
    record[last] = value


@pytest.mark.parametrize(
    ("path", "value", "error", "message"),
    [
        ("golden_check.max_abs", float("nan"), RecordError, "holds NaN or infinity"),
        ("launches.0.load_ns", -5, RecordError, r"is not a valid BenchmarkRecord: launches\.0\.load_ns"),
        ("launches.0.steady_ns", [], RecordError, r"launches\.0\.steady_ns"),
        ("kind", "energy", RecordVersionError, "is of kind 'energy', schema version 5; this version reads benchmark"),
        ("schema_version", 6, RecordVersionError, "schema version 6; this version reads benchmark up to 5"),
    ],
)
@pytest.mark.parametrize("form", WHOLE)
def test_damaged_record_is_named(
    texts: list[RecordText],
    tmp_path: Path,
    form: FileFormat,
    path: str,
    value: Any,
    error: type[PocketClipError],
    message: str,
) -> None:
    record = json.loads(texts[1].text)
    change(record, path, value)
    damaged = json.dumps(record)
    if form is FileFormat.CSV:
        rows = rows_of(render(texts, form))
        rows[1]["document"], rows[1]["kind"] = damaged, record["kind"]
        stream = io.StringIO()
        writer = csv.DictWriter(stream, RECORD_COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
        content = stream.getvalue()
    else:
        content = render(texts, form).replace(texts[1].text, damaged)
    file = tmp_path / f"results.{form}"
    file.write_text(content)
    place = {FileFormat.JSON: "entry 2", FileFormat.JSONL: "line 2", FileFormat.CSV: "row 2"}[form]
    with pytest.raises(error, match=message) as caught:
        list(read_results(file))
    for part in (texts[1].record_id, str(file), place):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("form", WHOLE)
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_file_that_was_cut_off(texts: list[RecordText], tmp_path: Path, form: FileFormat, share: float) -> None:
    content = render(texts, form).encode()
    path = tmp_path / f"results.{form}"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises((ResultsFileError, RecordError), match=r"is not JSON|is not CSV"):
        list(read_results(path))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", b"", "is not JSON"),
        ("a.json", b"\xff\xfe\xfa", "is not JSON"),
        ("a.json", b"[" * 100_000, "is not JSON"),
        ("a.json", b"7", "holds no records"),
        ("a.json", b'{"records": []}', "holds no records"),
        ("a.json", b'{"format": "pocketclip-results", "format_version": 1}', "holds no records"),
        ("a.json", b'{"format": "pocketclip-results", "format_version": 2, "records": []}', "update PocketCLIP"),
        ("a.json", b"[7]", "entry 1 is not a record but int"),
        ("a.json", b"[{}]", r"entry 1 is not a record: it has no record_id \(got None\)"),
        ("a.json", b'[{"record_id": "x", "kind": "accuracy", "schema_version": true}]', "no schema_version"),
        ("a.jsonl", b"\n{}\n", "line 2 is not a record"),
        ("a.csv", b"", "has no columns 'record_id' and 'document'"),
        ("a.csv", b"\xff\xfe\xfa", "is not CSV"),
        ("a.csv", b'record_id,document\nx,"{', "is not CSV"),
        ("a.csv", b"record_id,document\nx\n", "row 1: record x: its document is not JSON"),
        ("a.csv", b'record_id,document\nx,"[1]"\n', "row 1 is not a record but list"),
        ("a.csv", b"record_id,launch,iteration,inference_ns\nx,0,0,7\n", "holds only samples"),
        ("a.xlsx", b"", r"its name must end in one of \.json, \.jsonl, \.csv"),
        ("folder.json", None, "cannot read .*folder.json"),
    ],
)
def test_what_is_no_file_of_results(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    path = tmp_path / name
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises((ResultsFileError, RecordError), match=message) as caught:
        list(read_results(path))
    assert "\n" not in str(caught.value)


def test_csv_that_was_edited_is_refused(texts: list[RecordText], tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text(
        render(texts, FileFormat.CSV).replace("benchmark,2026-03-01T00:00:00.000000+00:00", "benchmark,1.3.26")
    )
    with pytest.raises(
        RecordError, match=r"row 2: record .*: created_at is '1\.3\.26', its document says '2026-03-01T"
    ):
        list(read_results(path))


def test_damaged_record_is_not_exported(texts: list[RecordText]) -> None:
    damaged = RecordText(texts[1].record_id, "benchmark", BENCHMARK_SCHEMA_VERSION, "{")
    for form in FileFormat:
        with pytest.raises(RecordError, match=f"record {texts[1].record_id} is not a valid"):
            render([texts[0], damaged], form)
    assert list(check_texts(texts)) == texts
