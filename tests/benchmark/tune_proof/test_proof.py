"""The proof: recorded points are the encoder study's, and the model finds their front with a third of the trials."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pocketclip.benchmark.encoder_study.variants import VARIANTS
from pocketclip.benchmark.errors import RecordError
from pocketclip.benchmark.tune.settings import Strategy, StudySettings
from pocketclip.benchmark.tune_proof.__main__ import app
from pocketclip.benchmark.tune_proof.recorded import Recorded, recorded_space
from pocketclip.benchmark.tune_proof.trying import Truth, truth_of, try_all

pytest.importorskip("optuna", reason="Optuna is not installed")
RECORDS = Path(__file__).parents[3] / "docs" / "records" / "encoders-nano"
SPACE = recorded_space()


def test_every_point_is_recorded() -> None:
    worker = Recorded(RECORDS, "pictures-design")
    truth = truth_of(SPACE, worker)
    assert len(truth.figures) == 3 * len(VARIANTS) == 57
    base = SPACE.base_points()[0]
    # docs/encoders.md: 1.170 ms in ONNX Runtime fp32, 9.53 MB.
    assert worker.measured(base).cost / 1e6 == pytest.approx(1.170, abs=5e-4)
    assert worker.measured(base).size_bytes / 1e6 == pytest.approx(9.53, abs=5e-3)
    assert worker.judged(base).drop_points == 0.0
    assert truth.share(list(truth.figures), truth.worst) == pytest.approx(1.0)
    assert 3 <= len(truth.front) <= 20
    assert truth.share(truth.front, truth.worst_of_front) == pytest.approx(1.0)


def test_what_is_not_recorded_is_said(tmp_path: Path) -> None:
    with pytest.raises(RecordError):
        Recorded(tmp_path, "scenes").measured(SPACE.base_points()[0])
    with pytest.raises(RecordError, match="was not judged on nonsense"):
        Recorded(RECORDS, "nonsense").judged(SPACE.base_points()[0])


@pytest.mark.slow
@pytest.mark.parametrize("split", ["pictures-design", "scenes"])
def test_a_third_of_the_trials_finds_95_percent_of_the_true_hypervolume(split: str) -> None:
    worker = Recorded(RECORDS, split)
    truth = truth_of(SPACE, worker)
    settings = StudySettings(SPACE.space, per_round=3)
    most = len(truth.figures) // 3
    tried = list(try_all(SPACE, worker, settings, range(5), most, strategies=(Strategy.MODEL,)))
    assert [each.seed for each in tried] == list(range(5))
    for each in tried:
        assert len(each.points) <= most
        assert truth.share(each.points, truth.worst) >= 0.95


def test_shares_and_counts() -> None:
    points = list(SPACE.points())[:3]
    truth = Truth(dict(zip(points, [(1.0, 3.0), (2.0, 1.0), (3.0, 3.0)], strict=True)))
    assert truth.front == points[:2] and truth.worst == (3.0, 3.0)
    assert truth.share(points[:1], truth.worst) == 0.0
    assert truth.share(points[:2], truth.worst) == 1.0


def test_the_command_writes_the_tables(tmp_path: Path) -> None:
    words = ["--records", str(RECORDS), "--seeds", "1", "--share", "0.12", "--out", str(tmp_path / "proof.md")]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0
    text = (tmp_path / "proof.md").read_text()
    for strategy in Strategy:
        assert f"| {strategy} | 1 |" in text
    assert "57 points" in text and "| short-context tflite int8-static |" in text
