"""Fixtures that several packages' tests share."""

from __future__ import annotations

import atexit
import logging
import os
import pickle
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from pocketclip.models.user_cache import user_cache

if TYPE_CHECKING:
    from pocketclip.export.job import ExportResult

# A long file that begins last keeps one process busy while the others are done. Measured with `pytest --durations=0`.
LONGEST_FILES = (
    "export/targets/test_matrix.py",
    "android_app/test_gradle_files.py",
    "export/commands/test_export.py",
    "pocketclip/test_namespace.py",
    "pocketclip/test_python_docs.py",
    "pocketclip/test_wheel.py",
    "export/ladder/test_planted_faults.py",
    "benchmark/devices/test_emulated_device.py",
    "models/towers/test_open_clip.py",
    "export/commands/test_untrained.py",
    "export/foreign/test_read_only.py",
    "ios_app/test_bench_on_test_iphone.py",
    "android_app/test_bench_on_test_phone.py",
    "export/commands/test_inspect.py",
    "export/commands/test_classify_photos.py",
    "export/bundle/test_bundle_cli.py",
    "fuzz/test_readers.py",
    "benchmark/devices/test_phone_faults.py",
    "export/mixed/test_mixed_export.py",
    "benchmark/commands/test_bench.py",
)
DATA = Path(__file__).parent / "data"
REPOSITORY = Path(__file__).parent.parent

# A shell that starts the tests in the background has them, and all they start, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The tests share the processors with one another (pytest-xdist): threads that wait for their turn only slow them.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# What an earlier run of the tests kept must not decide this one; the emulated phone alone is taken from there.
# The processes of pytest-xdist inherit both.
if "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ["POCKETCLIP_USER_CACHE"] = str(user_cache())
    os.environ["POCKETCLIP_CACHE"] = tempfile.mkdtemp(prefix="pocketclip-tests-")
    atexit.register(shutil.rmtree, os.environ["POCKETCLIP_CACHE"], ignore_errors=True)

# Processes of pytest-xdist bench on one machine at the same time: each has leases of its own.
os.environ["POCKETCLIP_LEASES"] = tempfile.mkdtemp(prefix="pocketclip-leases-")
atexit.register(shutil.rmtree, os.environ["POCKETCLIP_LEASES"], ignore_errors=True)

Run = Callable[..., subprocess.CompletedProcess[str]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the files that take longest first; the others keep their order."""
    ranks = {REPOSITORY / "tests" / name: rank for rank, name in enumerate(LONGEST_FILES)}
    items.sort(key=lambda item: ranks.get(item.path, len(ranks)))


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:
    """A command that a test calls shows the library's log from then on; the next test begins without that."""
    logger = logging.getLogger("pocketclip")
    handlers, level, propagates = logger.handlers[:], logger.level, logger.propagate
    yield
    logger.handlers[:] = handlers
    logger.setLevel(level)
    logger.propagate = propagates


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The golden values of MobileCLIP and of the CLIP tokenizer."""
    return DATA / "reference"


@pytest.fixture(scope="session")
def pocketclip() -> Iterator[Run]:
    """Runs `pocketclip ARGS...` as a user does, in a process of its own."""
    from tests.command_server import CommandServer

    server = CommandServer()

    def run(
        *arguments: str | Path, timeout: float = 300, cwd: str | Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "COLUMNS": "160", "NO_COLOR": "1"}
        return server.run([*map(str, arguments)], environment, str(cwd or Path.cwd()), timeout)

    yield run
    server.close()


def one_line_error(result: subprocess.CompletedProcess[str]) -> str:
    """The error line of a failed run; fails where there is a traceback or more than one line of error."""
    assert "Traceback" not in result.stderr, result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, result.stderr
    return lines[0]


@pytest.fixture(scope="session")
def error_line() -> Callable[[subprocess.CompletedProcess[str]], str]:
    """`one_line_error` as a fixture, so that test modules need no import of this file."""
    return one_line_error


@pytest.fixture(scope="session")
def nano_exports(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, str], ExportResult]:
    """pocketclip_nano, exported once for all tests: every target at every precision it offers (tests/nano_cells.py).

    Results by (target, precision, tower).
    """
    # Processes of pytest-xdist share the parent of their temporary folders.
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    results = shared / "nano_exports.pickle"
    with FileLock(shared / "nano_exports.lock"):
        if not results.is_file():
            results.write_bytes(pickle.dumps(_export_nano(shared / "artifacts")))
        return pickle.loads(results.read_bytes())


def _export_nano(out: Path) -> dict[tuple[str, str, str], ExportResult]:
    from pocketclip.export.job import ExportJob
    from pocketclip.export.jobs.log import LOG_NAME
    from pocketclip.export.jobs.workers import run_jobs
    from pocketclip.export.precision import TargetName
    from pocketclip.models.registry import load_config
    from tests.nano_cells import CELLS

    # It stands where an earlier try failed.
    out.mkdir(exist_ok=True)
    # ExecuTorch compiles the whole tower again for each chip; ONNX Runtime's artefacts have all of them.
    socs = {TargetName.EXECUTORCH_QNN: ("SM8650",)}
    jobs = [
        ExportJob(load_config("pocketclip_nano"), None, target, precision, tower, out, socs=socs.get(target, ()))
        for target, precision, tower in CELLS
    ]
    results: dict[tuple[str, str, str], ExportResult] = {}
    for job, result in run_jobs(jobs, workers=2, log=out / LOG_NAME):
        if isinstance(result, Exception):
            raise result
        results[job.target, job.precision, job.tower] = result
    return results
