"""What the agent reads of a machine below /sys, which a folder stands in for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pocketclip.benchmark.agent import machine
from pocketclip.benchmark.devices import HostDevice


@pytest.fixture
def big_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four slow cores at their limit, four fast ones that idle."""
    for core in range(8):
        folder = tmp_path / f"cpu{core}" / "cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_cur_freq").write_text("1800000\n" if core < 4 else "600000\n")
        (folder / "cpuinfo_max_freq").write_text("1800000\n" if core < 4 else "2850000\n")
    monkeypatch.setattr(machine, "_CPUS", str(tmp_path))


@pytest.mark.usefixtures("big_little")
@pytest.mark.parametrize(
    ("cores", "clocks", "limit"),
    [
        ({0, 1, 2, 3}, [1_800_000] * 4, 1_800_000),
        ({3, 7}, [1_800_000, 600_000], 2_850_000),
        ({40}, [], None),
    ],
)
def test_clocks_are_those_of_the_cores_that_may_be_used(
    monkeypatch: pytest.MonkeyPatch, cores: set[int], clocks: list[int], limit: int | None
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: cores)
    state = machine.state()
    assert (state["clock_khz"], state["clock_limit_khz"]) == (clocks, limit)


@pytest.mark.usefixtures("big_little")
def test_a_system_without_affinity_tells_the_clocks_of_all_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert machine.state()["clock_limit_khz"] == 2_850_000


@pytest.mark.parametrize(("capacity", "percent"), [("0", 0), ("100", 100), ("104", None), ("-1", None), ("", None)])
def test_a_percentage_that_no_record_may_hold_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capacity: str, percent: int | None
) -> None:
    battery = tmp_path / "BAT0"
    battery.mkdir()
    for name, text in (("type", "Battery"), ("status", "Charging"), ("capacity", capacity)):
        (battery / name).write_text(f"{text}\n")
    monkeypatch.setattr(machine, "_SUPPLIES", str(tmp_path / "*"))
    state = HostDevice().state()
    assert (state.battery_percent, state.charging) == (percent, True)


@pytest.mark.parametrize(
    ("told", "celsius"), [("45000", 45.0), ("45", 45.0), ("250000", None), ("999", None), ("-40000", None), ("x", None)]
)
def test_a_sensor_that_no_processor_survives_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str, celsius: float | None
) -> None:
    zone = tmp_path / "thermal_zone0"
    zone.mkdir()
    (zone / "type").write_text("cpu-thermal\n")
    (zone / "temp").write_text(f"{told}\n")
    monkeypatch.setattr(machine, "_THERMAL", str(tmp_path / "*"))
    assert machine.state()["temperature_celsius"] == celsius
