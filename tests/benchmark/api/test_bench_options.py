"""`BenchOptions`: what it refuses when it is made, and Python values beside the command line's words."""

from __future__ import annotations

import math
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import pocketclip
from pocketclip.benchmark.commands.bench import bench_app
from pocketclip.benchmark.errors import OptionError
from pocketclip.export.artifact.reading import Artifact


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"iterations": 0}, "--iterations takes a whole number from 1 to 2**53 - 1, got 0"),
        ({"iterations": 2.5}, "--iterations takes a whole number from 1 to 2**53 - 1, got 2.5"),
        ({"launches": True}, "--launches takes a whole number from 1 to 2**53 - 1, got True"),
        ({"iterations": 2**53}, "--iterations takes a whole number from 1 to 2**53 - 1, got 9007199254740992"),
        ({"min_seconds": 2e9}, "--min-seconds takes a number of seconds from 0 to 1,000,000,000, got 2000000000.0"),
        ({"min_seconds": math.nan}, "--min-seconds takes a number of seconds from 0 to 1,000,000,000, got nan"),
        ({"timeout": 0.5}, "--timeout takes a number of seconds from 1 to 1,000,000,000, got 0.5"),
        ({"cooldown": -1}, "--cooldown takes a number of seconds from 0 to 1,000,000,000, got -1"),
        ({"wait": math.inf}, "--wait takes a number of seconds from 0 to 1,000,000,000, got inf"),
    ],
)
def test_values_outside_their_range(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError) as caught:
        pocketclip.BenchOptions(**options)
    assert str(caught.value) == message


def test_not_a_number_on_the_command_line(tmp_path: Path) -> None:
    found = CliRunner().invoke(bench_app(), ["--artifact", str(tmp_path), "--min-seconds", "nan"])
    assert found.exit_code == 2 and "--min-seconds" in found.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threads": 0}, "--threads takes comma-separated positive numbers or `all`, got '0'"),
        ({"threads": []}, "--threads takes comma-separated positive numbers or `all`, got none"),
        ({"threads": "two"}, "--threads takes comma-separated positive numbers or `all`, got 'two'"),
        ({"cores": 4096}, "the device has the cores 0 to"),
        ({"cores": ""}, "--cores takes cores and ranges such as 0-3,6, got none"),
        ({"cores": "3-1"}, "the device has the cores 0 to"),
        ({"until": 1.5}, "--until takes a share between 0 and 1 such as 1% or 0.01, got 1.5"),
        ({"until": math.nan}, "--until takes a share between 0 and 1"),
        ({"until": 0.5, "budget": math.inf}, "--budget takes a duration above zero such as 90s"),
        (
            {"until": "1%", "budget": "999999h"},
            "--budget takes a duration above zero such as 90s, 10m or 1h30m, up to 1,000,000,000 seconds, "
            "got '999999h'",
        ),
        ({"sustained": "300000h"}, "up to 1,000,000,000 seconds, got '300000h'"),
        ({"threads": 2**53}, "--threads takes comma-separated positive numbers or `all`, got '9007199254740992'"),
        ({"threads": "9" * 5000}, "--threads takes comma-separated positive numbers or `all`, got '999"),
        ({"cores": "9" * 5000}, "--cores takes cores and ranges such as 0-3,6, got '999"),
        ({"sustained": timedelta(0)}, "--sustained takes a duration above zero"),
        ({"sustained": "10"}, "--sustained takes a duration above zero such as 90s, 10m or 1h30m, up to"),
        ({"load_mode": "cloud"}, "--load-mode 'cloud' is unknown; choose among: file"),
    ],
)
def test_values_that_the_device_decides(build_artifact: Any, options: dict[str, Any], message: str) -> None:
    artifact: Artifact = build_artifact()
    with pytest.raises(OptionError) as caught:
        pocketclip.bench(artifact.folder, options=pocketclip.BenchOptions(**options))
    assert message in str(caught.value)


def test_numbers_and_words_measure_alike(build_artifact: Any) -> None:
    artifact: Artifact = build_artifact()
    short = {"iterations": 2, "launches": 1, "cooldown": 0.0}
    worded = pocketclip.BenchOptions(threads="1,2", cores="0-1", until="50%", budget="90s", **short)
    typed = pocketclip.BenchOptions(threads=[1, 2], cores=range(2), until=0.5, budget=timedelta(seconds=90), **short)
    settings = [
        sorted(
            (record.settings for record in pocketclip.bench(artifact.folder, options=options)),
            key=lambda each: each.threads,
        )
        for options in (worded, typed)
    ]
    assert settings[0] == settings[1]
    assert [each.threads for each in settings[0]] == [1, 2]
    assert settings[0][0].cores == (0, 1) and settings[0][0].budget_seconds == 90
