"""What a record may not hold is refused where it comes in: by readers, by the JSON Schemas, and before it is stored."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from pocketclip.benchmark.commands import bench as cli
from pocketclip.benchmark.devices import HostDevice
from pocketclip.benchmark.errors import OptionError, RecordError, StoreError
from pocketclip.benchmark.measuring.option_values import parse_tag
from pocketclip.benchmark.measuring.plan import BenchmarkPlan, SilentWatch, run_plan
from pocketclip.benchmark.records.benchmark import BenchmarkRecord, RunSettings, Status
from pocketclip.benchmark.records.schemas import FOLDER
from pocketclip.benchmark.results.files import read_results
from pocketclip.benchmark.store import open_store
from pocketclip.export.artifact.reading import Artifact
from pocketclip.models import documents

BuildArtifact = Callable[..., Artifact]
SCHEMA: Any = jsonschema.Draft202012Validator(json.loads((FOLDER / "benchmark-record-v5.schema.json").read_text()))
ID = "6f1f7dd6-1a11-4f2a-9a57-0000000000a0"


def changed(content: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with another value at a place such as `launches.0.load_ns`."""
    copy = json.loads(json.dumps(content))
    *keys, last = path.split(".")
    inner = copy
    for key in keys:
        inner = inner[int(key)] if isinstance(inner, list) else inner[key]
    inner[last] = value
    return copy


def is_read(content: dict[str, Any]) -> bool:
    try:
        documents.parse(BenchmarkRecord, json.dumps(content), source="test", error=RecordError)
    except RecordError:
        return False
    return True


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("launches.0.steady_ns", [10**59]),
        ("launches.0.steady_ns", [2**63 - 1]),
        ("launches.0.load_ns", 10**16),
        ("launches.0.clock_jump_ns", -(10**400)),
        ("launches.0.clock_jump_ns", 2**63),
        ("launches.0.load_average", 1e300),
        ("launches.0.peak_bytes", 2**60),
        ("launches.0.started_at", "now\0"),
        ("artifact.sha256", "../../../../DCIM" + "0" * 48),
        ("artifact.sha256", "A" * 64),
        ("artifact.weights_sha256", "w"),
        ("artifact.model", "m" * 201),
        ("artifact.model", "a\0b"),
        ("artifact.scheme", "s" * 201),
        ("device.name", ""),
        ("device.instance", "i" * 201),
        ("settings.accelerator", "a" * 33),
        ("settings.budget_seconds", 1e300),
        ("golden_check.max_abs", 1e300),
        ("agent_sha256", "f" * 63),
        ("tag", "t" * 201),
        ("tag", "a\0"),
        ("record_id", ID.upper()),
        ("record_id", "{" + ID + "}"),
        ("record_id", "urn:uuid:" + ID),
        ("record_id", ID.replace("-", "")),
        ("created_at", "2026-03-01T00:00:00+00:00" + " " * 40),
        ("created_at", "20260301T000000Z"),
        ("parity.samples", -1),
        ("parity.cosine_min", 1.5),
        ("parity.cosine_mean", -2.0),
        ("parity.max_abs", -0.1),
        ("parity.snr_db", 1e300),
        ("parity.top1_agreement", 1.01),
        ("parity.multibranch_cosine_min", 7.0),
    ],
)
def test_reader_and_schema_refuse_alike(make: Any, path: str, value: Any) -> None:
    content = documents.to_builtin(make.benchmark())
    assert is_read(content) and SCHEMA.is_valid(content)
    damaged = changed(content, path, value)
    assert not is_read(damaged)
    assert not SCHEMA.is_valid(damaged)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(
        ["tag", "artifact.model", "artifact.scheme", "device.name", "artifact.sha256", "record_id", "agent_sha256"]
    ),
    text=st.text(st.characters(exclude_categories=("Cs",)), max_size=210) | st.from_regex(r"[0-9a-f-]{36,64}"),
)
@example("record_id", ID)
@example("artifact.sha256", "0" * 64 + "\n")
@example("tag", "t" * 200)
def test_texts_are_read_where_the_schema_takes_them(make: Any, path: str, text: str) -> None:
    content = changed(documents.to_builtin(make.benchmark()), path, text)
    assert is_read(content) == SCHEMA.is_valid(content)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(number=st.integers(-(2**70), 2**70) | st.sampled_from([10**15, 10**15 + 1, -1, 0]))
def test_times_are_read_where_the_schema_takes_them(make: Any, number: int) -> None:
    content = documents.to_builtin(make.benchmark())
    for path in ("launches.0.load_ns", "launches.0.clock_jump_ns", "launches.0.baseline_bytes"):
        damaged = changed(content, path, number)
        assert is_read(damaged) == SCHEMA.is_valid(damaged), (path, number)


WEIRD_AGENT = """
content = json.loads(RESULT)
content['job_id'] = json.load(open(job_path))['job_id']
raw = json.dumps(content).replace('"CLOCK"', '7' * 400).encode()
open(result_path, 'wb').write(raw)
announce(raw)
"""


def test_an_agent_that_writes_endless_numbers_fails_its_artefact_alone(
    build_artifact: BuildArtifact, fake_agent: Callable[[str], bytes], make: Any, tmp_path: Path
) -> None:
    launch = documents.to_builtin(make.launch(3.0)) | {"clock_jump_ns": "CLOCK"}
    result = {"result_version": 3, "job_id": None, "platform": "x", "failure": None, "launch": launch, "outputs": None}
    agent = fake_agent(f"RESULT = {json.dumps(result)!r}" + WEIRD_AGENT)
    plan = BenchmarkPlan((build_artifact("a"), build_artifact("b")), (RunSettings(launches=1),), cooldown_seconds=0)
    with open_store(str(tmp_path / "s.sqlite")) as store:
        run_plan(plan, HostDevice(agent=agent), append=store.append, watch=SilentWatch())
        records = store.benchmarks()
    assert [record.status for record in records] == [Status.FAILED, Status.FAILED]
    assert all(
        "result-invalid" in (record.reason or "") and "400 digits" in (record.reason or "") for record in records
    )


def test_what_fits_no_record_fails_its_artefact_alone(build_artifact: BuildArtifact, tmp_path: Path) -> None:
    artifacts = (build_artifact("a"), build_artifact("b"))
    plan = BenchmarkPlan(artifacts, (RunSettings(launches=1, iterations=2),), cooldown_seconds=0)

    def run(store: Any) -> None:
        def append(record: BenchmarkRecord) -> None:
            if record.launches and not store.count():
                first = replace(record.launches[0], steady_ns=(10**30,))
                store.append(replace(record, launches=(first,)))
            store.append(record)

        run_plan(plan, HostDevice(), append=append, watch=SilentWatch())

    with open_store(str(tmp_path / "s.sqlite")) as store:
        run(store)
        found = store.benchmarks()
    assert [record.status for record in found] == [Status.FAILED, Status.MEASURED]
    assert "record-invalid" in (found[0].reason or "") and "whole number of 31 digits" in (found[0].reason or "")


@pytest.mark.parametrize("tag", ["", " ", "t" * 201, "a\nb", "a\x1b[31mb", "\udcff", "a\u202eb", "a\0"])
def test_a_tag_is_judged_before_anything_is_measured(tag: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--tag takes a name of 1 to 200 visible characters"):
        parse_tag(tag)
    found = CliRunner().invoke(
        cli.bench_app(), ["--artifact", "nowhere", "--tag", tag, "--store", str(tmp_path / "s.sqlite")]
    )
    assert isinstance(found.exception, OptionError) and found.exception.exit_code == 2
    assert "\x1b" not in str(found.exception)
    assert not (tmp_path / "s.sqlite").exists()


@pytest.mark.parametrize("tag", ["v1.2", "März \N{ROCKET}", "t" * 200, "=1+1"])
def test_tags_that_every_store_keeps(tag: str) -> None:
    assert parse_tag(tag) == tag


def test_a_store_that_fails_loses_nothing(build_artifact: BuildArtifact, tmp_path: Path) -> None:
    """A database that takes no more, e.g. for a full disk: each record goes to a file that can be imported."""
    store = str(tmp_path / "s.sqlite")
    with open_store(store):
        pass
    with closing(sqlite3.connect(store)) as database:
        database.execute(
            "CREATE TRIGGER full BEFORE INSERT ON records BEGIN SELECT RAISE(ROLLBACK, 'no room left'); END"
        )
        database.commit()
    arguments = [f"--artifact={build_artifact(name).folder}" for name in ("a", "b")]
    found = CliRunner().invoke(cli.bench_app(), [*arguments, "--launches=1", "--iterations=3", "--store", store])
    assert isinstance(found.exception, StoreError), found.exception
    assert "2 of 2 records could not be stored" in str(found.exception)
    files = sorted(tmp_path.glob("pocketclip-record-*.json"))
    assert len(files) == 2 and all(str(file) in str(found.exception) for file in files)
    assert "no room left" in found.stderr
    with closing(sqlite3.connect(store)) as database:
        database.execute("DROP TRIGGER full")
        database.commit()
    with open_store(store) as opened:
        opened.add(text for file in files for text in read_results(file))
        assert [record.status for record in opened.benchmarks()] == [Status.MEASURED] * 2
