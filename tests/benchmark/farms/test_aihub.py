"""AI Hub from the artefact to the record, through the process that talks to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pocketclip.benchmark import api
from pocketclip.benchmark.commands import bench as command
from pocketclip.benchmark.commands.results import results_app
from pocketclip.benchmark.errors import (
    CostNotAcceptedError,
    DeviceUnsupportedError,
    FarmError,
    FarmLoginError,
    FarmNotFoundError,
    FarmPackageError,
    FarmQuotaError,
    FarmResultError,
    FarmUnavailableError,
    OptionError,
)
from pocketclip.benchmark.records.farm import FarmRecord, FarmStatus
from pocketclip.benchmark.store import open_store
from pocketclip.export.artifact.manifest import MANIFEST_NAME, list_files
from pocketclip.export.artifact.reading import Artifact, load_artifact
from pocketclip.export.npu.npu_report import read_report, write_report
from pocketclip.export.precision import TargetName, Tower
from pocketclip.models import documents
from tests.android_app.test_phone.npu import stand_in
from tests.benchmark.farms.conftest import TOKEN, HubStandIn, profile

BuildArtifact = Callable[..., Artifact]
PLACE = "aihub:Samsung Galaxy S24"


def bench(artifact: Artifact | list[Artifact], place: str = PLACE, **options: Any) -> list[FarmRecord]:
    accept = options.pop("accept", lambda cost: True)
    store = options.pop("store", None)
    folders = [each.folder for each in (artifact if isinstance(artifact, list) else [artifact])]
    found = api.bench_farm(folders, place, accept_cost=accept, options=api.BenchOptions(**options), store=store)
    assert all(isinstance(each, FarmRecord) for each in found)
    return found  # pyright: ignore[reportReturnType]


@pytest.mark.usefixtures("pauses")
def test_both_towers_are_measured(build_artifact: BuildArtifact, hub: HubStandIn, tmp_path: Path) -> None:
    towers = [build_artifact(tower, tower=tower) for tower in Tower]
    hub.answer_with(towers[0])
    costs: list[Any] = []
    store = tmp_path / "s.sqlite"
    records = bench(
        towers, accept=lambda cost: bool(costs.append(cost)) or True, store=store, accelerator="npu", iterations=40
    )
    assert [each.artifact.tower for each in records] == list(Tower)
    first = records[0]
    assert first.status is FarmStatus.MEASURED and first.reason is None
    assert first.times is not None and first.memory is not None and first.golden_check is not None
    assert first.times.inference_ns == (1_300_000, 1_200_000, 1_250_000, 1_280_000)
    assert (first.times.first_load_ns, first.times.warm_load_ns) == (250_000_000, 90_000_000)
    assert first.memory.peak_high_bytes == 30_000_000
    assert first.layers == {"npu": 1, "cpu": 1}
    assert first.golden_check.cosine_min > 0.9999
    # The latest system of the name.
    assert (first.device.os, first.device.chipset) == ("15", "qualcomm-snapdragon-8gen3")
    assert [cost.most_usd for cost in costs] == [None] and "2 jobs" in costs[0].words
    assert [job["input"] for job in hub.jobs] == [["pixels", 4, [1, 3, 6, 6], "float32"]] * 2
    assert hub.jobs[0]["options"] == "--max_profiler_iterations 40 --compute_unit npu"
    assert hub.jobs[0]["profile"] is True
    with open_store(f"sqlite:///{store}") as stored:
        assert stored.read().farms == records


@pytest.mark.usefixtures("pauses")
def test_a_class_of_their_own(build_artifact: BuildArtifact, hub: HubStandIn, tmp_path: Path, make: Any) -> None:
    """In `results` and a table of the report, in no ranking: a benchmark of the same artefact stands alone."""
    artifact = build_artifact()
    hub.answer_with(artifact)
    store = str(tmp_path / "s.sqlite")
    (record,) = bench(artifact, store=store)
    listed = CliRunner().invoke(results_app, ["--store", store, "--kind", "farm"], env={"COLUMNS": "200"})
    assert "measured by aihub" in listed.output and "aihub:Samsung Galaxy S24" in listed.output
    ours = make.benchmark(median_ms=3.0)
    ours = replace(ours, artifact=record.artifact)
    with open_store(store) as stored:
        stored.append(ours)
    page, markdown, content = (api.report(store, form=form) for form in ("html", "md", "json"))
    assert "By hosted farms" in page and "By hosted farms" in markdown
    (model,) = json.loads(content)["models"]
    assert [each["record_id"] for each in model["farms"]] == [record.record_id]
    assert model["farms"][0]["times"]["median_inference_ns"] == 1_265_000
    shown = [each["record_id"] for device in model["devices"] for each in device["artifacts"]]
    assert shown == [ours.record_id]
    assert [each["device"] for each in json.loads(content)["pareto"]] in ([], ["host"])
    csv = CliRunner().invoke(results_app, ["--store", store, "--format", "csv"]).output
    assert ",farm," in csv and "1265000.0" in csv


@pytest.mark.usefixtures("pauses")
def test_a_report_of_a_farm_alone(build_artifact: BuildArtifact, hub: HubStandIn, tmp_path: Path) -> None:
    artifact = build_artifact()
    hub.answer_with(artifact)
    store = str(tmp_path / "s.sqlite")
    bench(artifact, store=store)
    for form in ("html", "md", "json"):
        assert "aihub:Samsung Galaxy S24" in api.report(store, form=form) or form == "json"


@pytest.mark.usefixtures("pauses")
def test_results_travel_between_stores(build_artifact: BuildArtifact, hub: HubStandIn, tmp_path: Path) -> None:
    artifact = build_artifact()
    hub.answer_with(artifact)
    first, second, file = (str(tmp_path / name) for name in ("a.sqlite", "b.sqlite", "records.json"))
    records = bench(artifact, store=first, tag="1.0")
    assert CliRunner().invoke(results_app, ["--store", first, "--out", file]).exit_code == 0
    api.import_records(file, store=second)
    with open_store(second) as stored:
        assert stored.read().farms == records


def test_no_job_without_consent(build_artifact: BuildArtifact, hub: HubStandIn) -> None:
    with pytest.raises(CostNotAcceptedError):
        bench(build_artifact(), accept=lambda cost: False)
    assert hub.jobs == []


def test_the_command_asks(build_artifact: BuildArtifact, hub: HubStandIn, tmp_path: Path) -> None:
    artifact = build_artifact()
    called = CliRunner().invoke(
        command.bench_app(),
        ["--farm", PLACE, "--artifact", str(artifact.folder), "--store", str(tmp_path / "s.sqlite")],
    )
    assert isinstance(called.exception, CostNotAcceptedError) and "--yes" in str(called.exception)
    assert "cost: price unknown: 1 jobs on Samsung Galaxy S24" in called.output
    assert hub.jobs == []


@pytest.mark.usefixtures("pauses")
def test_the_command_with_yes(build_artifact: BuildArtifact, hub: HubStandIn, tmp_path: Path) -> None:
    artifact = build_artifact()
    hub.answer_with(artifact)
    called = CliRunner().invoke(
        command.bench_app(),
        ["--farm", PLACE, "--yes", "--artifact", str(artifact.folder), "--store", str(tmp_path / "s.sqlite")],
        env={"COLUMNS": "200"},
    )
    assert called.exit_code == 0, called.output
    assert "measured by aihub" in called.output and "no report ranks them" in called.output


def test_a_killed_bench_goes_on(build_artifact: BuildArtifact, hub: HubStandIn, tmp_path: Path) -> None:
    """SIGKILL while it waits: the next one pays nothing and fetches the same job."""
    artifact = build_artifact()
    hub.answer_with(artifact)
    hub.write(states=[["MEASURING_PERFORMANCE", None]])
    store = str(tmp_path / "s.sqlite")
    line = ["--farm", PLACE, "--yes", "--artifact", str(artifact.folder), "--store", store]
    with subprocess.Popen(
        [sys.executable, "-m", "pocketclip.benchmark", *line], env=os.environ, stderr=subprocess.PIPE, text=True
    ) as killed:
        for told in killed.stderr or ():
            if "measuring performance" in told:
                break
        killed.send_signal(signal.SIGKILL)
    assert len(hub.jobs) == 1
    hub.write(states=[["SUCCESS", None]])
    records = bench(artifact, accept=lambda cost: pytest.fail("nothing new is to be paid"), store=store)
    assert [each.job_id for each in records] == ["j0"]
    assert len(hub.jobs) == 1
    # What is stored is done with: the same work is a new job.
    bench(artifact, store=store)
    assert len(hub.jobs) == 2


@pytest.mark.usefixtures("pauses")
def test_a_job_that_arrived_unseen_is_found(build_artifact: BuildArtifact, hub: HubStandIn) -> None:
    """The process that submits dies after the service took the job, before anyone heard of it."""
    artifact = build_artifact()
    hub.answer_with(artifact)
    hub.write(errors={"after submit": [["crash", 0, ""]]})
    with pytest.raises(FarmError, match="ended with 7"):
        bench(artifact)
    assert len(hub.jobs) == 1
    (record,) = bench(artifact)
    assert record.job_id == "j0" and len(hub.jobs) == 1


def test_an_answer_lost_on_its_way(build_artifact: BuildArtifact, hub: HubStandIn, pauses: list[float]) -> None:
    """The service took the job and its answer was lost: it is looked for before anything is submitted again."""
    artifact = build_artifact()
    hub.answer_with(artifact)
    hub.write(errors={"after submit": [["InternalError", 503, "Could not connect"]]})
    (record,) = bench(artifact)
    assert record.job_id == "j0" and len(hub.jobs) == 1
    assert pauses[0] == 2.0


def test_a_service_that_is_away(build_artifact: BuildArtifact, hub: HubStandIn, pauses: list[float]) -> None:
    artifact = build_artifact()
    hub.answer_with(artifact)
    away = ["InternalError", 503, "Qualcomm AI Hub is unavailable right now."]
    hub.write(errors={"status": [away] * 3, "results": [away]})
    (record,) = bench(artifact)
    assert record.status is FarmStatus.MEASURED
    assert pauses[:3] == [2.0, 5.0, 15.0]
    hub.write(errors={"status": [away] * 6})
    with pytest.raises(FarmUnavailableError, match="unavailable right now"):
        bench(artifact)
    # One job more, not two: it is gone on with.
    (record,) = bench(artifact)
    assert record.job_id == "j1" and len(hub.jobs) == 2


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize(
    ("action", "answer", "kind", "words"),
    [
        ("client", ["UserError", 1000, "Your API token is missing."], FarmLoginError, "configure --api_token"),
        ("devices", ["UserError", 401, "Failed to authenticate."], FarmLoginError, "Failed to authenticate"),
        ("devices", ["UserError", 403, f"no permission for {TOKEN}"], FarmLoginError, "no permission"),
        ("devices", ["UserError", 426, "your version is too old"], FarmPackageError, "pip install"),
        ("devices", ["InternalError", 502, "reported errors"], FarmUnavailableError, "reported errors"),
        ("submit", ["RateLimitedError", 429, "too many jobs"], FarmQuotaError, "too many jobs"),
        ("submit", ["UserError", 401, "Failed to authenticate."], FarmLoginError, "Failed to authenticate"),
        ("devices", ["crash", 0, ""], FarmError, "no answer"),
    ],
)
def test_refusals(
    build_artifact: BuildArtifact, hub: HubStandIn, action: str, answer: list[Any], kind: type[FarmError], words: str
) -> None:
    hub.write(errors={action: [answer] * 10})
    with pytest.raises(kind, match=words) as caught:
        bench(build_artifact())
    assert TOKEN not in str(caught.value) and "\n" not in str(caught.value)
    assert hub.jobs == []


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize(
    ("errors", "states", "words"),
    [
        (
            {"submit": [["UserError", 413, "the model is too large"]]},
            None,
            "farm-refused: AI Hub: the model is too large",
        ),
        ({}, [["FAILED", "the device\x1b[31m rebooted"]], "farm-run-failed: failed: the device\\x1b[31m rebooted"),
    ],
)
def test_jobs_that_fail(build_artifact: BuildArtifact, hub: HubStandIn, errors: Any, states: Any, words: str) -> None:
    """A record says why, and the next bench is a new job."""
    artifact = build_artifact()
    hub.write(errors=errors, **({"states": states} if states else {}))
    (record,) = bench(artifact)
    assert record.status is FarmStatus.FAILED
    assert record.reason is not None and record.reason.startswith(words)
    hub.write(states=[["SUCCESS", None]])
    hub.answer_with(artifact)
    (record,) = bench(artifact)
    assert record.status is FarmStatus.MEASURED


HOSTILE = [
    profile(estimated_inference_time=-1),
    profile(estimated_inference_time="1200"),
    profile(estimated_inference_time=10**19),
    profile(estimated_inference_time=1.5),
    profile(estimated_inference_time=None),
    profile(all_inference_times=[1, float("nan")]),
    profile(all_inference_times=[True]),
    profile(inference_memory_peak_range=[2, 1]),
    profile(inference_memory_peak_range=[1]),
    profile(surprise=1),
    {"execution_summary": profile()["execution_summary"]},
    {"execution_summary": profile()["execution_summary"], "execution_detail": [{"name": "x"}]},
    {},
    [],
    "profile",
]


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize("content", HOSTILE, ids=range(len(HOSTILE)))
def test_profiles_that_cannot_be(build_artifact: BuildArtifact, hub: HubStandIn, content: Any) -> None:
    artifact = build_artifact()
    hub.answer_with(artifact)
    hub.write(profile=content)
    (record,) = bench(artifact)
    assert record.status is FarmStatus.FAILED and record.times is None
    assert record.reason is not None and record.reason.startswith("result-invalid: ")


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda values: -values, "golden-mismatch"),
        (lambda values: values * float("nan"), "non-finite-output"),
        (lambda values: values[:2], "output-shape"),
        # Of the right direction, and of no size that a record holds.
        (lambda values: values.astype("float64") * 1e100, "record-invalid"),
        (lambda values: values[:, :3], "output-shape"),
    ],
)
def test_outputs_of_another_model(build_artifact: BuildArtifact, hub: HubStandIn, change: Any, code: str) -> None:
    artifact = build_artifact()
    hub.answer_with(artifact, change)
    (record,) = bench(artifact)
    assert record.status is FarmStatus.FAILED and record.times is None
    assert record.reason is not None and record.reason.startswith(code)


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize("outputs", [{}, {"a": ["float32", [[[1.0]]]], "b": ["float32", [[[1.0]]]]}])
def test_outputs_that_are_not_the_models(build_artifact: BuildArtifact, hub: HubStandIn, outputs: Any) -> None:
    hub.write(outputs=outputs)
    (record,) = bench(build_artifact())
    assert record.reason is not None and record.reason.startswith("output-shape: AI Hub gives outputs")


def test_no_such_device(build_artifact: BuildArtifact, hub: HubStandIn) -> None:
    with pytest.raises(FarmNotFoundError, match=r"near: Samsung Galaxy S24, Samsung Galaxy S24 Ultra"):
        bench(build_artifact(), "aihub:samsung galaxy s42")
    with pytest.raises(FarmNotFoundError, match="list-devices"):
        bench(build_artifact("b"), "aihub:?")


@pytest.mark.parametrize("target", [TargetName.EXECUTORCH, TargetName.COREML, TargetName.TFLITE_QNN])
def test_formats_that_it_does_not_take(build_artifact: BuildArtifact, hub: HubStandIn, target: TargetName) -> None:
    with pytest.raises(DeviceUnsupportedError, match=f"does not run {target}"):
        bench(build_artifact(target=target))
    assert hub.jobs == []


@pytest.mark.usefixtures("pauses")
def test_the_graph_for_the_devices_chip(build_artifact: BuildArtifact, hub: HubStandIn, tmp_path: Path) -> None:
    """Its two files side by side, as AI Hub takes them; a device with another chip gets none."""
    plain = build_artifact("plain")
    artifact = stand_in(plain, tmp_path / "prepared", ("SM8650",))
    binary = artifact.folder / "contexts" / "sm8650_qnn.bin"
    binary.write_bytes(b"graph")
    report = read_report(artifact.folder)
    context = replace(report.contexts[0], binary="contexts/sm8650_qnn.bin")
    write_report([context], artifact.folder, sdk=report.sdk, package=report.package)
    listed = replace(artifact.manifest, files=list_files(artifact.folder))
    documents.write(listed, artifact.folder / MANIFEST_NAME)
    hub.answer_with(plain)
    (record,) = bench(load_artifact(artifact.folder), accelerator="npu")
    assert record.status is FarmStatus.MEASURED and record.artifact.target is TargetName.ONNX_QNN
    assert record.artifact.model_size_bytes == context.size_bytes + len(b"graph")
    assert hub.jobs[0]["files"] == ["sm8650.onnx", "sm8650_qnn.bin"]
    hub.write(devices=[["Samsung Galaxy S24", "14", ["framework:onnx", "chipset:qualcomm-snapdragon-8gen2"]]])
    with pytest.raises(DeviceUnsupportedError, match="no graph for SM8550"):
        bench(load_artifact(artifact.folder))


@pytest.mark.parametrize("place", ["", "aihub", "aihub:", "aihub: x", "aihub:a\nb", "hub:x", "aihub:" + "x" * 201])
def test_places_that_are_none(build_artifact: BuildArtifact, place: str) -> None:
    with pytest.raises(OptionError, match="--farm"):
        bench(build_artifact(), place)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"threads": "2"}, "--threads"),
        ({"sustained": "10m", "profile": True}, "--sustained, --profile"),
        ({"accelerator": "nnapi"}, "cpu, gpu, npu"),
        ({"tag": ""}, "--tag"),
    ],
)
def test_options_that_it_does_not_take(
    build_artifact: BuildArtifact, hub: HubStandIn, options: Any, words: str
) -> None:
    with pytest.raises(OptionError, match=words):
        bench(build_artifact(), **options)
    assert hub.jobs == []


def test_options_that_exclude_each_other(build_artifact: BuildArtifact, hub: HubStandIn) -> None:
    folder = str(build_artifact().folder)
    for others in (["--farm", PLACE, "--device", "host"], ["--yes"], ["--throughput", folder, "--farm", PLACE]):
        called = CliRunner().invoke(command.bench_app(), ["--artifact", folder, *others])
        assert isinstance(called.exception, OptionError), called.output
    assert hub.jobs == []


def test_without_the_package(
    build_artifact: BuildArtifact, hub: HubStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POCKETCLIP_QAI_HUB", str(tmp_path / "nowhere"))
    with pytest.raises(FarmPackageError, match=r"pip install --target '.*nowhere' qai-hub==0\.56\.0"):
        bench(build_artifact())


def test_another_version_of_the_package(build_artifact: BuildArtifact, hub: HubStandIn, tmp_path: Path) -> None:
    module = tmp_path / "package" / "qai_hub" / "__init__.py"
    module.write_text(module.read_text().replace('"0.56.0"', '"0.57.0"'))
    with pytest.raises(FarmPackageError, match=r"holds version '0\.57\.0'.*qai-hub==0\.56\.0"):
        bench(build_artifact())


@pytest.mark.usefixtures("pauses")
def test_a_damaged_ledger_costs_no_job(build_artifact: BuildArtifact, hub: HubStandIn, tmp_path: Path) -> None:
    artifact = build_artifact()
    hub.write(errors={"submit": [["UserError", 401, "no"]]})
    with pytest.raises(FarmLoginError):
        bench(artifact)
    (entry,) = (tmp_path / "cache" / "farms").iterdir()
    for damage in ("", "{}", entry.read_text().replace("pocketclip-", "../")):
        entry.write_text(damage)
        with pytest.raises(FarmError, match="cannot be told"):
            bench(artifact)
    assert hub.jobs == []


@pytest.mark.usefixtures("pauses")
def test_the_token_stays_where_it_is(
    build_artifact: BuildArtifact, hub: HubStandIn, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in what is said, nor in any file but the service's own."""
    caplog.set_level("DEBUG")
    artifact = build_artifact()
    hub.answer_with(artifact)
    hub.write(errors={"status": [["InternalError", 503, f"away, {TOKEN}"]]})
    store = tmp_path / "s.sqlite"
    called = CliRunner().invoke(
        command.bench_app(),
        ["--farm", PLACE, "--yes", "--artifact", str(artifact.folder), "--store", str(store)],
    )
    assert called.exit_code == 0, called.output
    assert "away" in caplog.text
    assert TOKEN not in called.output + caplog.text
    kept = [each for each in tmp_path.rglob("*") if each.is_file() and "service" not in each.parts]
    assert len(kept) > 3
    for file in kept:
        assert TOKEN.encode() not in file.read_bytes(), file


def test_waiting_grows_and_ends(build_artifact: BuildArtifact, hub: HubStandIn, pauses: list[float]) -> None:
    artifact = build_artifact()
    hub.answer_with(artifact)
    hub.write(states=[["CREATED", None]] * 12 + [["SUCCESS", None]])
    bench(artifact)
    assert pauses == sorted(pauses) and pauses[0] == 10.0 and pauses[-1] == 120.0
    assert len(pauses) == 12


def test_results_that_break_off(
    build_artifact: BuildArtifact, hub: HubStandIn, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An output shorter than its description is fetched again, then told; the job is still there."""
    from pocketclip.benchmark.farms.aihub_client import HubClient

    artifact = build_artifact()
    hub.answer_with(artifact)
    whole = HubClient.output
    monkeypatch.setattr(HubClient, "output", lambda *arguments: whole(*arguments)[:-4])
    with pytest.raises(FarmResultError, match="do not match"):
        bench(artifact)
    monkeypatch.setattr(HubClient, "output", whole)
    (record,) = bench(artifact)
    assert record.status is FarmStatus.MEASURED and len(hub.jobs) == 1
