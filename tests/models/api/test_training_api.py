"""`pocketclip.train` and `pocketclip.reinforce`, as a script calls them."""

from __future__ import annotations

from pathlib import Path

import pytest

import pocketclip
from pocketclip.models.training.run_log import StepReport

NANO = "pocketclip_nano"


def test_a_run_reports_and_loads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = pocketclip.TrainingConfig(
        model=NANO,
        name="mine",
        steps=2,
        batch_size=4,
        warmup_steps=0,
        data="scenes:32",
        init_from=NANO,
        changes=("image.stages.3.mixer=repmixer",),
    )
    reached: list[pocketclip.Progress] = []
    steps: list[StepReport] = []
    weights = pocketclip.train(
        config, tmp_path / "run", workers=0, threads=1, on_progress=reached.append, on_step=steps.append
    )
    assert reached == [pocketclip.Progress("training", done, 2) for done in (1, 2)]
    assert [each.step for each in steps] == [1, 2]
    assert weights.is_file()
    trained = pocketclip.load_model(tmp_path / "run")
    assert (trained.name, trained.trained) == ("mine", True)
    assert capsys.readouterr() == ("", "")


def test_shards_are_stored_and_counted(tmp_path: Path) -> None:
    reached: list[pocketclip.Progress] = []
    made = pocketclip.reinforce(
        "scenes:4", teachers=[NANO], out=tmp_path / "shards", augmentations=2, synthetic=1, on_progress=reached.append
    )
    assert made.complete and (made.samples, made.shards) == (4, 1)
    assert reached[-1] == pocketclip.Progress("reinforcing", 4, 4)
    assert list((tmp_path / "shards").glob("*.tar"))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"device": "tpu"}, "device 'tpu' is not available here"),
        ({"dtype": "int8"}, "dtype 'int8' is unknown"),
        ({"device": "cpu:x"}, "device 'cpu:x' is not available here"),
        ({"augmentations": 1001}, "augmentations must be at most 1000, got 1001"),
        ({"augmentations": 0}, "augmentations must be at least 1, got 0"),
    ],
)
def test_mistakes_leave_nothing_behind(tmp_path: Path, options: dict[str, object], complaint: str) -> None:
    with pytest.raises(pocketclip.PocketClipError, match=complaint):
        pocketclip.reinforce("scenes:4", teachers=[NANO], out=tmp_path / "out", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()
