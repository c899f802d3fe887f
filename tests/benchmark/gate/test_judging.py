"""What stops a change: each outcome of an artefact, and the comment that tells it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pocketclip.benchmark.gate.comment import MOST_CHARACTERS, headline, render_comment
from pocketclip.benchmark.gate.exporting import Exported
from pocketclip.benchmark.gate.judging import Outcome, Row, artifacts_to_measure, judge
from pocketclip.benchmark.records.benchmark import BenchmarkRecord, Status
from pocketclip.export.artifact.reading import Artifact
from pocketclip.export.precision import Tower

KEY = ("onnx-fp32", str(Tower.IMAGE))


@pytest.fixture
def sides(build_artifact: Callable[..., Artifact]) -> tuple[Exported, Exported]:
    """The same scheme on both sides, with other weights."""
    return side(build_artifact("base")), side(build_artifact("head", weights_scale=1.001))


def side(artifact: Artifact | None, *failure: str) -> Exported:
    return Exported({} if artifact is None else {KEY: artifact}, failure or None)


def without_parity(exported: Exported) -> Exported:
    artifact = exported.artifacts[KEY]
    assert artifact.manifest.parity is not None
    parity = replace(artifact.manifest.parity, failures=("minimum cosine 0.91, at least 0.99 is needed",))
    return side(replace(artifact, manifest=replace(artifact.manifest, parity=parity)))


def measured(exported: Exported, record: BenchmarkRecord) -> BenchmarkRecord:
    return replace(record, artifact=replace(record.artifact, sha256=exported.artifacts[KEY].manifest.sha256))


def rows_of(sides: tuple[Exported, Exported], before: BenchmarkRecord, after: BenchmarkRecord) -> list[Row]:
    records = [measured(exported, record) for exported, record in zip(sides, (before, after), strict=True)]
    return judge(*sides, {record.artifact.sha256: record for record in records})


@pytest.mark.parametrize(
    ("after_ms", "outcome"),
    [(3.6, Outcome.SLOWER), (2.5, Outcome.FASTER), (3.0, Outcome.CANNOT_TELL)],
)
def test_times(sides: tuple[Exported, Exported], make: Any, after_ms: float, outcome: Outcome) -> None:
    before, after = (make.benchmark(median_ms=each, launches=10) for each in (3.0, after_ms))
    (row,) = rows_of(sides, before, after)
    assert row.outcome is outcome
    assert row.outcome.stops == (outcome is Outcome.SLOWER)
    assert row.comparison is not None and row.comparison.ratio == pytest.approx(after_ms / 3, abs=0.06)
    comment = render_comment("mine", [row], *sides, "the report")
    assert comment.startswith("<!-- pocketclip-gate mine -->\n")
    hostile = render_comment("mine", [row], *sides, None, name='--> <script> "$(x)"\n' + "y" * 200)
    assert hostile.splitlines()[0] == f"<!-- pocketclip-gate -script-x-{'y' * 90} -->"
    assert f"{row.comparison.ratio - 1:+.1%}" in comment and "the report" in comment


def test_too_few_launches_are_said(sides: tuple[Exported, Exported], make: Any) -> None:
    (row,) = rows_of(sides, make.benchmark(), make.benchmark(median_ms=9.0))
    assert row.outcome is Outcome.CANNOT_TELL
    assert "4 each are needed" in render_comment("mine", [row], *sides, None)


def test_parity_that_is_lost_stops_whatever_the_time(sides: tuple[Exported, Exported]) -> None:
    base, head = sides
    assert artifacts_to_measure(base, head) == [base.artifacts[KEY], head.artifacts[KEY]]
    assert artifacts_to_measure(base, without_parity(head)) == []
    (lost,) = judge(base, without_parity(head), {})
    assert (lost.outcome, lost.outcome.stops) == (Outcome.LOST, True)
    assert "minimum cosine 0.91" in render_comment("mine", [lost], base, head, None)
    (before,) = judge(without_parity(base), without_parity(head), {})
    assert (before.outcome, before.outcome.stops) == (Outcome.FAILED_BEFORE, False)
    (mended,) = judge(without_parity(base), head, {})
    assert (mended.outcome, mended.outcome.stops) == (Outcome.NEW, False)


def test_missing_new_and_the_same(sides: tuple[Exported, Exported]) -> None:
    base, head = sides
    (missing,) = judge(base, side(None, "error: no such model"), {})
    assert missing.outcome is Outcome.MISSING and missing.outcome.stops
    assert "error: no such model" in render_comment("mine", [missing], base, side(None, "error: no such model"), None)
    (new,) = judge(side(None), head, {})
    assert new.outcome is Outcome.NEW
    (same,) = judge(base, base, {})
    assert same.outcome is Outcome.SAME_FILES
    assert artifacts_to_measure(base, base) == []
    assert headline([new, same]) == "nothing worse in 2 artefacts"
    assert headline([missing, same]) == "1 of 2 artefacts worse: 1 missing"


def test_what_could_not_be_measured(sides: tuple[Exported, Exported], make: Any) -> None:
    good = make.benchmark(launches=10)
    failed = make.benchmark(status=Status.FAILED, reason="agent-killed: out of memory")
    (row,) = rows_of(sides, good, failed)
    assert row.outcome is Outcome.FAILED and row.outcome.stops and row.reason == "agent-killed: out of memory"
    (row,) = rows_of(sides, failed, good)
    assert row.outcome is Outcome.CANNOT_TELL and "the base's could not be measured: agent-killed" in (row.reason or "")
    (row,) = judge(*sides, {})
    assert row.outcome is Outcome.FAILED
    untimed = make.benchmark(status=Status.PARITY_ONLY, reason="Core ML runs on Apple's devices only")
    (row,) = rows_of(sides, untimed, untimed)
    assert row.outcome is Outcome.UNTIMED and not row.outcome.stops
    (row,) = rows_of(sides, good, make.benchmark(launches=10, threads=2))
    assert row.outcome is Outcome.CANNOT_TELL and "threads" in (row.reason or "")


def test_a_comment_shows_what_it_is_given_and_no_more(sides: tuple[Exported, Exported]) -> None:
    base, _ = sides
    hostile = side(None, "</details><script>alert(1)</script>", "```", "\x1b[2Jgone")
    comment = render_comment("<img src=x>|", judge(base, hostile, {}), base, hostile, "x" * MOST_CHARACTERS)
    assert "<img" not in comment
    assert "\x1b" not in comment
    # Inside a fence that is longer than any of its content.
    assert comment.count("````\n") == 2
    assert len(comment) < 2000 and "60,000 characters, too many for a comment" in comment
