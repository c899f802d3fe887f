"""The front measured again, in interleaved sessions against the unchanged model: the best of many is lucky.

What is measured are the artefacts with trained weights, which are what would ship.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pocketclip.benchmark.errors import OptionError, StudyError
from pocketclip.benchmark.tune.front import front
from pocketclip.benchmark.tune.trials import Trial
from pocketclip.benchmark.tune.workshop import Workshop
from pocketclip.models.progress import OnProgress, silent

if TYPE_CHECKING:
    from pocketclip.benchmark.statistics.verdicts import Comparison
    from pocketclip.export.artifact.reading import Artifact

# With more, the session would take longer than the machine stays the same.
MOST_CONFIRMED = 8
_LOG = logging.getLogger("pocketclip.benchmark")
UNTRAINED = "--confirm measures trained models, and a study with --no-train has none"


@dataclass(frozen=True)
class Confirmed:
    """A trial of the front against the unchanged model on as many threads, tower by tower, in the trial's own scheme or
    the base's. Without comparisons, its files are the unchanged model's."""

    trial: Trial
    comparisons: tuple[Comparison, ...]


def confirm(
    workshop: Workshop, trials: Sequence[Trial], launches: int, *, on_progress: OnProgress = silent
) -> list[Confirmed]:
    """Measures the front and the unchanged model in turns; verdicts are judged as one family (Holm).

    Each number of threads is a session of its own.

    Args:
        workshop: of the study.
        trials: all of the study.
        launches: of each artefact.
        on_progress: called with each launch.

    Raises:
        OptionError: the study did not train.
        StudyError: there is no front, or the unchanged model was not measured.
        IncomparableError: an artefact could not be measured, or not under fit conditions.
        PocketClipError: the device cannot measure.
    """
    from pocketclip.benchmark.statistics.verdicts import judge_family
    from pocketclip.export.artifact.reading import load_artifact

    space = workshop.space
    if not workshop.settings.train:
        raise OptionError(UNTRAINED, fix="tune without --no-train, in another --study")
    # Whether it meets the limits does not matter: it ships trained.
    base = next((each for each in trials if space.is_base(each.point) and each.measured is not None), None)
    if base is None:
        raise StudyError("the unchanged model was not measured, so that nothing can be compared with it")
    chosen = [each.trial for each in front(trials, workshop.settings) if each.trial.number != base.number]
    if not chosen:
        raise StudyError("the front holds nothing but the unchanged model", fix="give more --trials")
    if len(chosen) > MOST_CONFIRMED:
        left = ", ".join(str(trial.number) for trial in chosen[MOST_CONFIRMED:])
        _LOG.warning("%d trials of the front are measured again; not these: %s", MOST_CONFIRMED, left)
    chosen = chosen[:MOST_CONFIRMED]
    unchanged, *changed = [[load_artifact(each) for each in workshop.artifacts(trial)] for trial in [base, *chosen]]
    pairs: list[tuple[int, Comparison]] = []
    for threads in sorted({space.threads(trial.point) for trial in chosen}):
        group = {
            trial.number: each
            for trial, each in zip(chosen, changed, strict=True)
            if space.threads(trial.point) == threads and _shas(each) != _shas(unchanged)
        }
        if group:
            pairs += _session(workshop, unchanged, group, threads, launches, on_progress)
    judged = judge_family([comparison for _, comparison in pairs])
    found: dict[int, list[Comparison]] = {trial.number: [] for trial in chosen}
    for (number, _), comparison in zip(pairs, judged, strict=True):
        found[number].append(comparison)
    return [Confirmed(trial, tuple(found[trial.number])) for trial in chosen]


def _session(
    workshop: Workshop,
    unchanged: Sequence[Artifact],
    changed: Mapping[int, Sequence[Artifact]],
    threads: int,
    launches: int,
    on_progress: OnProgress,
) -> list[tuple[int, Comparison]]:
    """The comparisons of trials, by number, with the unchanged model in one session; not judged yet."""
    from pocketclip.benchmark.api import BenchOptions, bench
    from pocketclip.benchmark.statistics.verdicts import compare_records

    records = bench(
        [artifact.folder for each in (unchanged, *changed.values()) for artifact in each],
        workshop.settings.device,
        options=BenchOptions(
            threads=threads,
            launches=launches,
            iterations=workshop.settings.iterations,
            tag=f"{workshop.name}-front",
            devices=workshop.devices,
        ),
        store=workshop.store,
        on_progress=on_progress,
    )
    by_sha256 = {record.artifact.sha256: record for record in records}
    return [
        (number, compare_records(by_sha256[one], by_sha256[other], allow_invalid=workshop.allow_invalid))
        for number, artifacts in changed.items()
        for one, other in zip(_shas(unchanged), _shas(artifacts), strict=True)
        # A tower that a change leaves alone is the same file.
        if one != other
    ]


def _shas(artifacts: Sequence[Artifact]) -> list[str]:
    return [artifact.manifest.sha256 for artifact in artifacts]
