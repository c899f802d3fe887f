"""Studies in a store: kept whole, refused where they are of other settings, versions or programs."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from pocketclip.benchmark.errors import MeasurementError, OptionError, StoreError, StudyError, StudyVersionError
from pocketclip.benchmark.store import open_store
from pocketclip.benchmark.tune.queueing import InlineQueue
from pocketclip.benchmark.tune.steps import Stage, Task
from pocketclip.benchmark.tune.study_store import begin_study, check_name, keep_result, read_study
from pocketclip.benchmark.tune.trials import Closing, Ending, StageResult
from pocketclip.benchmark.tune.tuning import SilentWatch, carry_on, held_study
from pocketclip.models.errors import MissingPackageError, StorageError
from tests.benchmark.tune.cheap import CheapWorker, cheap_settings, cheap_space, judged, measured, trained

optuna = pytest.importorskip("optuna", reason="Optuna is not installed")
SPACE = cheap_space()
SETTINGS = cheap_settings(SPACE)


def address(location: str) -> str:
    """The store as SQLAlchemy takes it."""
    return location if "://" in location else f"sqlite:///{location}"


def change(location: str, *statements: str) -> None:
    """Changes a store as another program would."""
    engine = sa.create_engine(address(location), poolclass=sa.NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def test_a_study_is_read_as_it_was_kept_beside_the_records(location: str) -> None:
    point = list(SPACE.points())[5]
    with begin_study(location, "one", SETTINGS) as study:
        study.add(SPACE, point, 0, 0)
        study.keep(0, measured(2.0))
        study.keep(0, trained(0.5))
        study.keep(0, trained(0.6, rung=1))
        keep_result(location, "one", 0, judged(1.0))
        (trial,) = study.trials(SPACE)
        assert trial.open and trial.complete
        study.close(trial, Closing(Ending.JUDGED, "well"))
        study.close(trial, Closing(Ending.JUDGED, "well"))
    with read_study(location, "one") as study:
        assert study.settings == SETTINGS
        (trial,) = study.trials(SPACE)
    assert (trial.point, trial.measured, trial.judged) == (point, measured(2.0), judged(1.0))
    assert trial.trained == (trained(0.5), trained(0.6, rung=1)) and trial.closing == Closing(Ending.JUDGED, "well")
    # Optuna's own tools read it.
    with open_store(location) as store:
        assert store.count() == 0
    loaded = optuna.load_study(study_name="one", storage=address(location))
    assert loaded.trials[0].values == [2.0, 0.9] and loaded.trials[0].params["kernels"] == "7"


def test_other_settings_names_and_versions_are_refused(location: str) -> None:
    with begin_study(location, "one", SETTINGS):
        pass
    with (
        pytest.raises(StudyError, match=r"begun with other settings: seed \(3, now 4\)"),
        begin_study(location, "one", replace(SETTINGS, seed=4)),
    ):
        pass
    with pytest.raises(StudyError, match="has no study 'two'; it has: one"), read_study(location, "two"):
        pass
    with pytest.raises(StoreError, match="there is no store"), read_study("none.sqlite", "two"):
        pass
    loaded = optuna.load_study(study_name="one", storage=address(location))
    loaded.set_user_attr("pocketclip_tune", {"schema_version": 2})
    with pytest.raises(StudyVersionError, match="has version 2"), read_study(location, "one"):
        pass
    loaded.set_user_attr("pocketclip_tune", {"schema_version": 1, "space": "?"})
    with pytest.raises(StudyError, match="not a valid StudySettings"), read_study(location, "one"):
        pass
    for name in ("../x", "a b", "", "x" * 101):
        with pytest.raises(OptionError, match="--study"):
            check_name(name)


def test_a_study_of_another_program_is_left_alone(location: str) -> None:
    with open_store(location):
        pass
    other = optuna.create_study(study_name="theirs", storage=address(location), directions=["minimize"] * 2)
    other.add_trial(optuna.trial.create_trial(values=[1.0, 2.0]))
    with pytest.raises(StudyError, match="not one of `pocketclip tune`"), begin_study(location, "theirs", SETTINGS):
        pass


def test_damaged_trials_are_named(location: str) -> None:
    with begin_study(location, "one", SETTINGS) as study:
        study.add(SPACE, SPACE.base_points()[0], 0, 0)
        study.keep(0, measured(2.0))
        change(location, "UPDATE trial_user_attributes SET value_json = '{}' WHERE key = 'measured'")
        with pytest.raises(StudyError, match="trial 0 of the study 'one', measured is not a valid Measured"):
            study.trials(SPACE)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE trial_user_attributes SET value_json = '{bad' WHERE key = 'measured'",
        "UPDATE trial_params SET distribution_json = '{}'",
        "UPDATE trial_params SET distribution_json = '3'",
        "UPDATE study_user_attributes SET value_json = '{bad'",
        "UPDATE study_user_attributes SET value_json = '[]'",
    ],
)
def test_what_optuna_cannot_read_is_a_damaged_study(location: str, damage: str) -> None:
    for name in ("one", "other"):
        with begin_study(location, name, SETTINGS) as study:
            study.add(SPACE, SPACE.base_points()[0], 0, 0)
            study.keep(0, measured(2.0))
            if name == "one":
                change(location, damage)
    with pytest.raises(StudyError, match=r"'one'.*another --study"), read_study(location, "one") as study:
        study.trials(SPACE)
    with pytest.raises(StudyError, match=r"'one'.*another --study"), begin_study(location, "one", SETTINGS) as study:
        study.trials(SPACE)
    # It keeps no other study from going on.
    with read_study(location, "other") as study:
        assert len(study.trials(SPACE)) == 1


def test_optunas_newer_schema_is_refused_in_words(location: str) -> None:
    with begin_study(location, "one", SETTINGS):
        pass
    change(
        location, "UPDATE alembic_version SET version_num = 'v99.0.0.a'", "UPDATE version_info SET schema_version = 99"
    )
    with pytest.raises(StudyVersionError, match="another version of Optuna"), read_study(location, "one"):
        pass


def test_one_process_at_a_time_carries_a_study_on(location: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("POCKETCLIP_LEASES", str(tmp_path / "leases"))
    code = (
        "import sys\nfrom pocketclip.benchmark.tune.tuning import held_study\n"
        f"with held_study({location!r}, 'one'):\n    print('held', flush=True)\n    sys.stdin.read()"
    )
    held = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ, text=True
    )
    try:
        assert held.stdout.readline() == "held\n"
        with pytest.raises(StudyError, match="'one' is in use by another process"), held_study(location, "one"):
            pass
    finally:
        held.communicate("")
    with held_study(location, "one"):
        pass


class FullDisk(CheapWorker):
    """Meets a full disk in the midst of a round."""

    def carry_out(self, task: Task) -> StageResult:
        if task.stage is Stage.TRAIN and task.number == 2:
            raise StorageError("cannot write: No space left on device")
        return super().carry_out(task)


class Faulty(CheapWorker):
    """Cannot measure one of the trials."""

    def carry_out(self, task: Task) -> StageResult:
        if task.number == 1:
            raise MeasurementError("the agent found NaN")
        return super().carry_out(task)


def test_a_full_disk_ends_the_call_and_the_next_one_goes_on(location: str) -> None:
    with begin_study(location, "one", SETTINGS) as study:
        with pytest.raises(StorageError, match="No space left"):
            carry_on(study, SPACE, InlineQueue(FullDisk(), study.keep), most=6)
        before = study.trials(SPACE)
        assert any(trial.open for trial in before)
        after = carry_on(study, SPACE, InlineQueue(CheapWorker(), study.keep), most=6)
    with begin_study(location, "whole", SETTINGS) as study:
        assert after == carry_on(study, SPACE, InlineQueue(CheapWorker(), study.keep), most=6)


def test_a_trial_that_fails_is_a_result_and_the_study_goes_on(location: str) -> None:
    with begin_study(location, "one", SETTINGS) as study:
        trials = carry_on(study, SPACE, InlineQueue(Faulty(), study.keep), most=6, watch=SilentWatch())
    assert len(trials) == 4 and not any(trial.open for trial in trials)
    assert trials[1].closing.ending is Ending.FAILED and trials[1].failed.code == "measurement"
    assert "the agent found NaN" in trials[1].closing.reason


def test_a_budget_begins_no_new_round_and_more_trials_go_on(location: str) -> None:
    with begin_study(location, "one", SETTINGS) as study:
        queue = InlineQueue(CheapWorker(), study.keep)
        first = carry_on(study, SPACE, queue, most=12, budget_seconds=0.0)
        assert len(first) == 4
        # A round that has no room is not begun.
        assert len(carry_on(study, SPACE, queue, most=7)) == 4
        assert len(carry_on(study, SPACE, queue, most=11)) == 8
        more = carry_on(study, SPACE, queue, most=12)
    with begin_study(location, "whole", SETTINGS) as study:
        assert more == carry_on(study, SPACE, InlineQueue(CheapWorker(), study.keep), most=12)


def test_without_optuna_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with (
        pytest.raises(MissingPackageError, match=r"tune needs Optuna.*pip install -e '\.\[tune\]'"),
        begin_study(str(tmp_path / "s.sqlite"), "one", SETTINGS),
    ):
        pass
