"""A trial as a folder that ships: the bundle for both apps, artefacts, weights, model card, and the evidence.

README.md                the model card
model.safetensors        weights; model.json is the configuration that they fit
artifacts/               both towers, as exported
clip.bundle/             what the apps load
evidence/study.json      the study's settings and all its trials, with the hash of both
evidence/records.jsonl   the records that the trial's figures are from
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pocketclip.benchmark.errors import StudyError
from pocketclip.benchmark.tune.front import front
from pocketclip.benchmark.tune.model_card import CardFacts, model_card
from pocketclip.benchmark.tune.picking import study_sha256
from pocketclip.benchmark.tune.settings import StudySettings
from pocketclip.benchmark.tune.trials import Trial
from pocketclip.benchmark.tune.wording import point_words, repeat_commands
from pocketclip.benchmark.tune.workshop import Workshop
from pocketclip.export.precision import Tower
from pocketclip.models import atomic, documents
from pocketclip.models.documents import document
from pocketclip.models.progress import OnProgress, silent

CARD, WEIGHTS, CONFIGURATION, BUNDLE = "README.md", "model.safetensors", "model.json", "clip.bundle"
EVIDENCE, STUDY, RECORDS = "evidence", "study.json", "records.jsonl"


@document
class ShippedTrial:
    """A trial in the evidence: its number, levels by parameter, results, and how it ended."""

    number: int
    levels: dict[str, str]
    results: tuple[dict[str, Any], ...]
    ending: str
    on_front: bool
    commands: tuple[str, ...]


@document
class Evidence:
    """What a shipped folder says of its study; `shipped` is the number of the trial."""

    study: str
    study_sha256: str
    shipped: int
    settings: StudySettings
    trials: tuple[ShippedTrial, ...]
    tool_version: str
    schema_version: int = 1


@dataclass(frozen=True)
class Shipped:
    """What was written: the folder, and the model's name."""

    folder: Path
    model: str
    files: int
    size_bytes: int


def ship(
    workshop: Workshop,
    trials: Sequence[Trial],
    trial: Trial,
    out: Path,
    *,
    labels: Sequence[str] = (),
    weights_licence: str | None = None,
    on_progress: OnProgress = silent,
) -> Shipped:
    """Writes the folder of a trial, whole or not at all. The bundle passes its self-test, or nothing is written.

    Args:
        workshop: of the study.
        trials: all of the study.
        trial: the one that ships.
        out: the folder; one that an earlier call wrote is replaced.
        labels: labels whose embeddings the bundle holds.
        weights_licence: of the weights, e.g. `Apache-2.0`.
        on_progress: called with the prompts that are embedded.

    Raises:
        StudyError: the trial was not judged, the folder is something else, or the bundle fails its self-test.
        PocketClipError: an export or the bundle failed, or the folder cannot be written.
    """
    from pocketclip.export.api import write_bundle
    from pocketclip.models.checkpoints.checkpoint import save_weights

    _check_goal(out)
    folders = workshop.artifacts(trial)
    model = workshop.trained_model(trial)
    with atomic.new_directory(out) as folder:
        for source, tower in zip(folders, Tower, strict=True):
            shutil.copytree(source, folder / "artifacts" / source.parent.name / tower)
        save_weights(model.module, folder / WEIGHTS)
        documents.write(model.config, folder / CONFIGURATION)
        bundle = write_bundle(
            *folders,
            out=folder / BUNDLE,
            labels=labels,
            weights_licence=weights_licence,
            on_progress=on_progress,
        )
        report = bundle.self_test()
        if not report.passed:
            raise StudyError(f"the bundle of trial {trial.number} fails {report.failures} checks of its self-test")
        evidence = make_evidence(workshop, trials, trial)
        documents.write(evidence, folder / EVIDENCE / STUDY)
        atomic.write_text(folder / EVIDENCE / RECORDS, _records(workshop, trial))
        facts = CardFacts(model.config.name, evidence.study_sha256, bundle.manifest, report, _device(workshop, trial))
        card = model_card(workshop, trials, trial, facts)
        atomic.write_text(folder / CARD, card)
    files = [path for path in out.rglob("*") if path.is_file()]
    return Shipped(out, model.config.name, len(files), sum(path.stat().st_size for path in files))


def make_evidence(workshop: Workshop, trials: Sequence[Trial], trial: Trial) -> Evidence:
    """The study as it is kept beside what ships."""
    from pocketclip.models.terminal.version import tool_version

    settings, space = workshop.settings, workshop.space
    best = {each.trial.number for each in front(trials, settings)}
    listed = tuple(
        ShippedTrial(
            number=each.number,
            levels=space.params(each.point),
            results=tuple(
                documents.to_builtin(result)
                for result in (each.measured, *each.trained, each.judged, each.failed)
                if result is not None
            ),
            ending=each.closing.words if each.closing is not None else "it has not ended",
            on_front=each.number in best,
            commands=tuple(repeat_commands(space, settings, each)),
        )
        for each in trials
    )
    sha256 = study_sha256(trials, settings)
    return Evidence(workshop.name, sha256, trial.number, settings, listed, tool_version())


def _check_goal(out: Path) -> None:
    """A folder that is something else must not be replaced."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise StudyError(f"{out} is no folder", fix="give another --to")
    if out.is_dir() and any(out.iterdir()) and not (out / EVIDENCE / STUDY).is_file():
        raise StudyError(f"{out} holds something else", fix="give a new folder, or one that `ship` wrote")


def _records(workshop: Workshop, trial: Trial) -> str:
    """The records of the trial and of the front's session, as they are stored."""
    from pocketclip.benchmark.results.json_files import to_jsonl
    from pocketclip.benchmark.store import RecordFilter, open_store

    results = (trial.measured, trial.judged)
    ids = {record_id for each in results if each is not None for record_id in each.record_ids}
    with open_store(workshop.store, create=False) as store:
        everything = store.read().texts
        session = {each.record_id for each in store.read(RecordFilter(tag=f"{workshop.name}-front")).texts}
    missing = ids - {each.record_id for each in everything}
    if missing:
        raise StudyError(
            f"{len(missing)} records of trial {trial.number} are not in the store, the first: {sorted(missing)[0]}",
            fix="give the store that the study was carried out with",
        )
    return to_jsonl(each for each in everything if each.record_id in ids | session)


def _device(workshop: Workshop, trial: Trial) -> str:
    """What measured the trial, as its record says."""
    from pocketclip.benchmark.records.benchmark import BenchmarkRecord
    from pocketclip.benchmark.store import open_store

    first = next(iter(trial.measured.record_ids), None) if trial.measured is not None else None
    with open_store(workshop.store, create=False) as store:
        record = None if first is None else store.find(first)
    if not isinstance(record, BenchmarkRecord):
        return workshop.settings.device
    return f"{record.device.name} ({record.device.soc or record.device.cpu})"


def words_of(workshop: Workshop, trial: Trial) -> str:
    """The trial in one line."""
    return f"trial {trial.number}: {point_words(workshop.space, trial.point)}"
