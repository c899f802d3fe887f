"""What the page words from records."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchmark.report.content import build_report


@pytest.mark.parametrize(("load", "busy"), [(1.4, False), (3.2, True), (None, False)])
def test_busy_device_is_told(make: Any, load: float | None, busy: bool) -> None:
    record = make.benchmark(launches=2)
    launches = tuple(replace(launch, load_average=load) for launch in record.launches)
    report = build_report([replace(record, launches=launches)], [], {})
    cautions = report.models[0].devices[0].cautions
    assert any("busy when 2 of 2 launches began" in caution for caution in cautions) is busy


def test_restless_and_emulated_launches_are_told(make: Any) -> None:
    record = make.benchmark(launches=2)
    launches = (replace(record.launches[0], warmup_stationary=False), record.launches[1])
    emulated = replace(record.device, kind="emulated")
    report = build_report([replace(record, launches=launches, device=emulated)], [], {})
    cautions = " ".join(report.models[0].devices[0].cautions)
    assert "1 of 2 launches had not settled" in cautions
    assert "This device is emulated" in cautions


def test_every_missed_budget_is_in_the_alarms_and_the_first_in_the_table(make: Any) -> None:
    failures = ("cosine_min 0.8 is below 0.92", "snr_db 6 is below 13")
    report = build_report([make.benchmark(parity=make.parity(failures=failures))], [], {})
    (model,) = report.models
    assert all(failure in model.alarms[0] for failure in failures)
    assert model.devices[0].groups[0].rows[0].misses == "cosine_min 0.8 is below 0.92, and 1 more"


def test_environment_repeats_the_command(make: Any) -> None:
    (environment,) = build_report([make.benchmark(threads=2, launches=4)], [], {}).environments
    assert environment.command == ("bench --device host --artifact artifacts --threads 2 --iterations 100 --launches 4")
    assert dict(environment.facts)["Instruction sets"] == "avx2, fma"


def test_older_weights_are_counted(make: Any) -> None:
    records = [make.benchmark(weights_sha256="old"), make.benchmark()]
    assert build_report(records, [], {}).models[0].older_weights == 1
