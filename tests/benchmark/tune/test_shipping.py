"""A trial as a folder: whole or not at all, with the evidence that its figures come from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import pocketclip
from pocketclip.benchmark.errors import LimitsError, OptionError, StudyError
from pocketclip.benchmark.store import open_store
from pocketclip.benchmark.tune.front import front
from pocketclip.benchmark.tune.limits import Limits
from pocketclip.benchmark.tune.picking import pick, study_sha256
from pocketclip.benchmark.tune.shipping import Evidence, ship
from pocketclip.benchmark.tune.trials import Closing, Ending, Trial
from pocketclip.benchmark.tune.wording import repeat_commands
from pocketclip.benchmark.tune.workshop import Workshop
from pocketclip.export.precision import Tower
from pocketclip.models import documents
from pocketclip.models.errors import PocketClipError
from tests.benchmark.tune.cheap import cheap_settings, cheap_space, judged, measured, trained
from tests.export.bundle.tiny_artifacts import build_artifact

SPACE = cheap_space()
POINTS = list(SPACE.points())
SETTINGS = cheap_settings(SPACE, limits=Limits(size_bytes=9e6))
LICENCE = "Apache-2.0"


def trial(number: int, cost: float, drop: float, **changes: object) -> Trial:
    run = None if SPACE.is_base(POINTS[number]) else f"run{number}"
    values: dict[str, object] = {
        "measured": measured(cost),
        "trained": (replace(trained(0.5), run=run),),
        "judged": judged(drop),
        "closing": Closing(Ending.JUDGED),
    }
    return Trial(number, POINTS[number], 0, number, **(values | changes))  # type: ignore[arg-type]


TRIALS = [trial(0, 8.0, 0.0), trial(1, 4.0, 0.5), trial(2, 2.0, 1.0), trial(3, 1.9, 9.0), trial(4, 9.0, 9.0)]


def test_picks_of_a_front() -> None:
    assert [each.trial.number for each in front(TRIALS, SETTINGS)] == [3, 2, 1, 0]
    assert pick("fastest", TRIALS, SETTINGS).number == 3
    assert pick("knee", TRIALS, SETTINGS).number == 2
    small = [*TRIALS[:2], replace(TRIALS[2], judged=replace(judged(1.0), size_bytes=1_000_000))]
    assert pick("smallest", small, SETTINGS).number == 2
    # What is not on the front ships by name.
    assert pick("4", TRIALS, SETTINGS).number == 4
    assert pick("knee", TRIALS[:1], SETTINGS).number == 0


def test_picks_that_cannot_be() -> None:
    for text in ("best", "", "-1", "1.5"):
        with pytest.raises(OptionError, match="choose among: knee, fastest, smallest, or a trial's number"):
            pick(text, TRIALS, SETTINGS)
    with pytest.raises(StudyError, match="has no trial 9"):
        pick("9", TRIALS, SETTINGS)
    halved = trial(5, 1.0, 0.0, judged=None, closing=Closing(Ending.HALVED, "2 are ahead"))
    with pytest.raises(StudyError, match="trial 5 was not judged: behind in a short training: 2 are ahead"):
        pick("5", [*TRIALS, halved], SETTINGS)
    missed = trial(5, 1.0, 0.0, judged=judged(0.0, failures=("cosine 0.9 below 0.99",)))
    with pytest.raises(LimitsError, match="misses a parity budget: cosine"):
        pick("5", [*TRIALS, missed], SETTINGS)
    tight = cheap_settings(SPACE, limits=Limits(size_bytes=1e6))
    with pytest.raises(LimitsError, match=r"no trial meets the limits; the nearest is trial .*max-size"):
        pick("knee", TRIALS, tight)
    assert pick("2", TRIALS, tight).number == 2
    untrained = replace(cheap_settings(SPACE, limits=Limits()), train=False)
    for text in ("knee", "1"):
        with pytest.raises(StudyError, match=r"the study did not train.*without --no-train"):
            pick(text, [replace(each, trained=(), judged=None) for each in TRIALS], untrained)
    with pytest.raises(StudyError, match="no judged trial yet"):
        pick("knee", [], SETTINGS)


def test_the_hash_is_of_settings_and_every_result() -> None:
    hashes = {
        study_sha256(TRIALS, SETTINGS),
        study_sha256(TRIALS, replace(SETTINGS, seed=9)),
        study_sha256([*TRIALS[:4], replace(TRIALS[4], judged=judged(8.9))], SETTINGS),
    }
    assert len(hashes) == 3 and study_sha256(list(TRIALS), SETTINGS) in hashes


class TinyWorkshop(Workshop):
    """One whose exports are tiny artefacts."""

    def artifacts(self, trial: Trial) -> list[Path]:
        if (self.out / "artifacts").is_dir():
            return sorted((self.out / "artifacts").iterdir())
        return [build_artifact(self.out / "artifacts", tower).folder for tower in Tower]


def workshop(tmp_path: Path) -> Workshop:
    with open_store(str(tmp_path / "store.sqlite")):
        pass
    return TinyWorkshop("study", SETTINGS, tmp_path / "tune", str(tmp_path / "store.sqlite"))


def test_a_shipped_folder_holds_all_that_an_app_and_a_reader_need(tmp_path: Path) -> None:
    shipped = ship(
        workshop(tmp_path), TRIALS, TRIALS[0], tmp_path / "out", labels=["red circle"], weights_licence=LICENCE
    )
    out = shipped.folder
    assert shipped.files == len([path for path in out.rglob("*") if path.is_file()]) > 10
    bundle = pocketclip.open_bundle(out / "clip.bundle")
    assert bundle.self_test().passed
    evidence = documents.read(Evidence, out / "evidence" / "study.json", error=PocketClipError)
    assert evidence.study_sha256 == study_sha256(TRIALS, SETTINGS) and evidence.shipped == 0
    assert evidence.settings == SETTINGS and len(evidence.trials) == 5
    assert [each.on_front for each in evidence.trials] == [True, True, True, True, False]
    assert (out / "evidence" / "records.jsonl").is_file()
    # The weights are those of the configuration beside them.
    model = pocketclip.load_model(out / "model.json", weights=out / "model.safetensors")
    assert model.trained
    card = (out / "README.md").read_text()
    head, _, body = card.removeprefix("---\n").partition("---\n")
    metadata = {line.partition(": ")[0]: json.loads(line.partition(": ")[2]) for line in head.splitlines()}
    assert metadata["license"] == "apache-2.0" and metadata["pipeline_tag"] == "zero-shot-image-classification"
    assert metadata["pocketclip"]["study_sha256"] == evidence.study_sha256
    assert f"sha256 `{evidence.study_sha256}`" in body and "pocketclip export" in body
    # Once more: what `ship` wrote is replaced.
    again = ship(workshop(tmp_path), TRIALS, TRIALS[0], out)
    assert again.folder == out and "license" not in (out / "README.md").read_text().partition("\n---\n")[0]


@pytest.mark.parametrize("there", ["file", "other", "link"])
def test_what_is_something_else_is_never_replaced(tmp_path: Path, there: str) -> None:
    out = tmp_path / "out"
    if there == "file":
        out.write_text("mine")
    elif there == "other":
        out.mkdir()
        (out / "mine").write_text("mine")
    else:
        (tmp_path / "elsewhere").mkdir()
        out.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StudyError, match=r"is no folder|holds something else"):
        ship(workshop(tmp_path), TRIALS, TRIALS[0], out)
    assert not list(tmp_path.glob("**/clip.bundle"))


def test_records_that_are_not_there_end_it_before_anything_is_left(tmp_path: Path) -> None:
    lacking = replace(TRIALS[0], measured=replace(measured(8.0), record_ids=("00000000-0000-4000-8000-000000000000",)))
    with pytest.raises(StudyError, match="1 records of trial 0 are not in the store"):
        ship(workshop(tmp_path), [lacking], lacking, tmp_path / "out", weights_licence=LICENCE)
    assert not (tmp_path / "out").exists()


def _options(command: str) -> Sequence[str]:
    return [word for word in command.split() if word.startswith("--")]


def test_commands_repeat_a_trial() -> None:
    base = repeat_commands(SPACE, SETTINGS, TRIALS[0])
    assert [command.split()[1] for command in base] == ["export", "bench", "eval"]
    changed = next(each for each in POINTS if not SPACE.is_base(each))
    rungs = tuple(replace(trained(0.5, rung), run=f"run-rung{rung}") for rung in (0, 1))
    commands = repeat_commands(SPACE, SETTINGS, replace(TRIALS[0], point=changed, trained=rungs))
    assert [command.split()[1] for command in commands] == ["train", "train", "export", "bench", "eval"]
    assert "--init-from pocketclip_nano" in commands[0] and "--init-from runs/trial0-rung0" in commands[1]
    assert "--model runs/trial0-rung1" in commands[2] and "--set" in commands[0]
    assert "--recipe" not in commands[0]
    distils = replace(SETTINGS, training=replace(SETTINGS.training, distillation_weight=0.7))
    taught = repeat_commands(SPACE, distils, replace(TRIALS[0], point=changed, trained=rungs))
    assert "--recipe distillation --teacher pocketclip_nano --distillation-weight 0.7" in taught[0]
    fresh = repeat_commands(SPACE, SETTINGS, replace(TRIALS[0], point=changed, trained=()))
    assert "--fresh-weights" in fresh[0] and "eval" not in fresh[-1]
    known = _known_options()
    for command in [*base, *commands, *taught, *fresh]:
        assert set(_options(command)) <= known[command.split()[1]], command


def _known_options() -> dict[str, set[str]]:
    import typer

    from pocketclip.cli import app

    found = typer.main.get_command(app).commands
    return {name: {option for each in command.params for option in each.opts} for name, command in found.items()}
