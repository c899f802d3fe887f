"""The programs from outside: exit codes, one line per error, interrupts, and how fast help comes."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from pocketclip.benchmark.commands import bench as cli
from pocketclip.benchmark.errors import FailedArtifactsError, StoreError
from pocketclip.benchmark.records.benchmark import DeviceKind, Status
from pocketclip.benchmark.store import open_store
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.errors import ArtifactCorruptError, ManifestError
from pocketclip.export.precision import Precision, TargetName

BuildArtifact = Callable[..., Artifact]
ROOT = Path(__file__).parents[3]


def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "pocketclip.benchmark", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def bench(*arguments: str) -> tuple[int, str, str]:
    with start(*arguments) as process:
        stdout, stderr = process.communicate(timeout=120)
        return process.returncode, stdout, stderr


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(cli.bench_app(), list(arguments))


def test_bench_writes_records_and_a_table(build_artifact: BuildArtifact, tmp_path: Path) -> None:
    artifact, store = build_artifact(), tmp_path / "s.sqlite"
    code, stdout, stderr = bench(
        "--device", "host", "--artifact", str(artifact.folder), "--iterations", "5", "--launches", "2",
        "--cooldown", "0", "--store", str(store),
    )  # fmt: skip
    assert code == 0, stderr
    for word in ("onnx", "fp32", "image", "pass", "p50", "peak"):
        assert word in stdout
    with open_store(str(store), create=False) as opened:
        (record,) = opened.benchmarks()
    assert record.status is Status.MEASURED
    assert [len(launch.steady_ns) for launch in record.launches] == [5, 5]
    assert record.golden_check is not None
    assert record.golden_check.cosine_min > 0.99999


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--device", "toaster", "--artifact", "x"),
            "error: there is no device 'toaster'; `pocketclip devices` lists all",
        ),
        (("--artifact", "no/such/folder"), "error: no/such/folder does not exist; give an artefact"),
    ],
)
def test_bad_requests_end_with_2_and_one_line(arguments: tuple[str, ...], message: str) -> None:
    code, stdout, stderr = bench(*arguments)
    assert (code, stdout) == (2, "")
    assert stderr.startswith(message)
    assert stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--accelerator", "abacus"),
            "--accelerator 'abacus' is unknown; choose among: cpu, xnnpack, nnapi, gpu, npu, all",
        ),
        (("--accelerator", "nnapi"), "--accelerator 'nnapi' is only for phones that use the app; host takes only cpu"),
        (("--load-mode", "mmap"), "--load-mode 'mmap' is only for phones that use the app; host takes only file"),
        (("--load-mode", "tape"), "--load-mode 'tape' is unknown; choose among: file, mmap, memory"),
    ],
)
def test_ways_that_the_host_has_not(
    build_artifact: BuildArtifact, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    arguments = ("--artifact", str(build_artifact().folder), "--store", str(tmp_path / "s.sqlite"), *options)
    found = invoke(*arguments)
    assert message in str(found.exception)


def test_corrupt_artefact_is_not_measured(build_artifact: BuildArtifact, tmp_path: Path) -> None:
    artifact = build_artifact()
    content = bytearray(artifact.model_path.read_bytes())
    content[len(content) // 2] ^= 1
    artifact.model_path.write_bytes(content)
    result = invoke("--artifact", str(artifact.folder), "--store", str(tmp_path / "s.sqlite"))
    assert isinstance(result.exception, ArtifactCorruptError)
    assert "its manifest says" in str(result.exception)
    assert not (tmp_path / "s.sqlite").exists()


def test_newer_manifest(build_artifact: BuildArtifact, rewrite_manifest: Callable[..., None]) -> None:
    artifact = build_artifact()
    rewrite_manifest(artifact, schema_version=7)
    result = invoke("--artifact", str(artifact.folder))
    assert isinstance(result.exception, ManifestError)
    assert "schema version 7; this version reads up to 4" in str(result.exception)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="a folder that nobody may write to is needed: /proc")
def test_unwritable_store_is_found_before_the_first_launch(build_artifact: BuildArtifact) -> None:
    started = time.monotonic()
    result = invoke("--artifact", str(build_artifact().folder), "--store", "/proc/nowhere/s.sqlite")
    assert isinstance(result.exception, StoreError)
    assert result.exception.exit_code == 2
    assert "choose a place you may write to" in str(result.exception)
    assert time.monotonic() - started < 5


def test_failed_artefact_ends_with_1_and_the_others_are_kept(build_artifact: BuildArtifact, tmp_path: Path) -> None:
    good, bad = build_artifact("good"), build_artifact("bad", nan_from=0.2)
    result = invoke(
        "--artifact", str(good.folder), "--artifact", str(bad.folder),
        "--iterations", "3", "--launches", "2", "--cooldown", "0", "--store", str(tmp_path / "s.sqlite"),
    )  # fmt: skip
    assert isinstance(result.exception, FailedArtifactsError)
    assert result.exception.exit_code == 1
    assert "1 of 2 artefacts failed" in str(result.exception)
    assert "non-finite-output" in result.stderr
    with open_store(str(tmp_path / "s.sqlite"), create=False) as store:
        assert sorted(record.status for record in store.benchmarks()) == [Status.FAILED, Status.MEASURED]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupt_keeps_finished_records(
    build_artifact: BuildArtifact, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    # The first artefact fails at once, so its record is finished while the second one still runs.
    bad, slow = build_artifact("a-bad", model_bytes=b"no model"), build_artifact("b-slow")
    store = tmp_path / "s.sqlite"
    with start(
        "--artifact", str(bad.folder), "--artifact", str(slow.folder),
        "--min-seconds", "60", "--cooldown", "0", "--store", str(store),
        TMPDIR=str(tmp_path),
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 60
        while not _stored(store) and time.monotonic() < deadline:
            time.sleep(0.1)
        while not _processes_with("agent.pyz", str(tmp_path)) and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(0.5)
        assert process.poll() is None
        process.send_signal(number)
        _, stderr = process.communicate(timeout=20)
    assert process.returncode == code
    assert "1 of 2 records are kept" in stderr
    assert "Traceback" not in stderr
    assert len(_stored(store)) == 1
    # The agent in flight is ended, and its workspace removed.
    assert not _processes_with("agent.pyz", str(tmp_path))
    assert not list(tmp_path.glob("pocketclip-bench-*"))


def test_a_killed_bench_leaves_no_agent_and_no_folder(build_artifact: BuildArtifact, tmp_path: Path) -> None:
    with start(
        "--artifact", str(build_artifact().folder), "--min-seconds", "60", "--cooldown", "0",
        "--store", str(tmp_path / "s.sqlite"), TMPDIR=str(tmp_path),
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 60
        while not _processes_with("agent.pyz", str(tmp_path)) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert _processes_with("agent.pyz", str(tmp_path))
        process.kill()
        process.communicate(timeout=20)
    deadline = time.monotonic() + 20
    while (_processes_with("agent.pyz", str(tmp_path)) or list(tmp_path.glob("pocketclip-*"))) and (
        time.monotonic() < deadline
    ):
        time.sleep(0.1)
    assert not _processes_with("agent.pyz", str(tmp_path))
    assert not list(tmp_path.glob("pocketclip-*"))


def _stored(store: Path) -> list[Any]:
    try:
        with open_store(str(store), create=False) as opened:
            return opened.benchmarks()
    except StoreError:
        return []


def _processes_with(*words: str) -> list[str]:
    import psutil

    lines = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    return [line for line in lines if all(word in line for word in words)]


def test_table_shows_no_latency_for_what_was_not_timed(make: Any) -> None:
    records = [
        make.benchmark(TargetName.COREML, status=Status.PARITY_ONLY, reason="Core ML on Linux: parity only"),
        make.benchmark(status=Status.FAILED, reason="crashed"),
    ]
    table = cli.results_table(records)
    assert [[str(cell) for cell in row[6:]] for row in table.rows] == [[""] * 4] * 2
    assert [str(row[5]) for row in table.rows] == ["failed", "untimed"]


def test_table_shows_no_latency_of_an_emulated_device(make: Any) -> None:
    record = make.benchmark()
    emulated = replace(record, device=replace(record.device, kind=DeviceKind.EMULATED))
    table = cli.results_table([emulated])
    assert [str(cell) for cell in table.rows[0][5:10]] == ["emulated", "", "", "", ""]


def test_table_fits_80_columns(make: Any) -> None:
    records = [
        make.benchmark(TargetName.EXECUTORCH, Precision.INT8_STATIC),
        make.benchmark(TargetName.COREML, Precision.INT8_WEIGHTS, status=Status.PARITY_ONLY, reason="parity only"),
    ]
    text = io.StringIO()
    Console(file=text, width=80).print(cli.results_table(records))
    assert "executorch int8-static" in text.getvalue()
    assert "\N{HORIZONTAL ELLIPSIS}" not in text.getvalue()


def test_table_names_the_models_where_there_are_several(make: Any) -> None:
    first = make.benchmark()
    second = replace(first, artifact=replace(first.artifact, model="another_model"))
    assert cli.results_table([first]).columns[0].heading == "target"
    table = cli.results_table([first, second])
    assert table.columns[0].heading == "model"
    assert [row[0] for row in table.rows] == ["another_model", first.artifact.model]


def test_help_imports_nothing_heavy() -> None:
    # What takes the time is counted, not the time: a busy machine must not fail the test.
    program = (
        "import sys\nfrom typer.testing import CliRunner\nfrom pocketclip.benchmark.commands import bench as cli\n"
        "assert CliRunner().invoke(cli.bench_app(), ['--help']).exit_code == 0\n"
        "heavy = {'numpy', 'sqlalchemy', 'pydantic', 'jinja2', 'scipy', 'torch', 'onnxruntime'}\n"
        "heavy &= set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, env=dict(os.environ))
