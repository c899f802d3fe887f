"""The front measured again, in one interleaved session against the unchanged model: the best of many is lucky.

What is measured are the artefacts with trained weights, which are what would ship.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pocketclip.benchmark.errors import OptionError, StudyError
from pocketclip.benchmark.tune.front import front
from pocketclip.benchmark.tune.trials import Trial
from pocketclip.benchmark.tune.workshop import Workshop
from pocketclip.models.progress import OnProgress, silent

if TYPE_CHECKING:
    from pocketclip.benchmark.statistics.verdicts import Comparison

# With more, the session would take longer than the machine stays the same.
MOST_CONFIRMED = 8
UNTRAINED = "--confirm measures trained models, and a study with --no-train has none"


@dataclass(frozen=True)
class Confirmed:
    """A trial of the front against the unchanged model, tower by tower, in the trial's own scheme or the base's."""

    trial: Trial
    comparisons: tuple[Comparison, ...]


def confirm(
    workshop: Workshop, trials: Sequence[Trial], launches: int, *, on_progress: OnProgress = silent
) -> list[Confirmed]:
    """Measures the front and the unchanged model in turns; verdicts are judged as one family (Holm).

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
    from pocketclip.benchmark.api import BenchOptions, bench
    from pocketclip.benchmark.statistics.verdicts import compare_records, judge_family
    from pocketclip.export.artifact.reading import load_artifact

    if not workshop.settings.train:
        raise OptionError(UNTRAINED, fix="tune without --no-train, in another --study")
    # Whether it meets the limits does not matter: it ships trained.
    base = next((each for each in trials if workshop.space.is_base(each.point) and each.measured is not None), None)
    if base is None:
        raise StudyError("the unchanged model was not measured, so that nothing can be compared with it")
    chosen = [each.trial for each in front(trials, workshop.settings) if each.trial.number != base.number]
    if not chosen:
        raise StudyError("the front holds nothing but the unchanged model", fix="give more --trials")
    folders = {trial.number: workshop.artifacts(trial) for trial in [base, *chosen[:MOST_CONFIRMED]]}
    records = bench(
        [folder for each in folders.values() for folder in each],
        workshop.settings.device,
        options=BenchOptions(
            threads=workshop.space.threads(base.point),
            launches=launches,
            iterations=workshop.settings.iterations,
            tag=f"{workshop.name}-front",
            devices=workshop.devices,
        ),
        store=workshop.store,
        on_progress=on_progress,
    )
    by_sha256 = {record.artifact.sha256: record for record in records}
    shas = {number: [load_artifact(folder).manifest.sha256 for folder in each] for number, each in folders.items()}
    pairs = [
        (number, compare_records(by_sha256[one], by_sha256[other], allow_invalid=workshop.allow_invalid))
        for number, mine in shas.items()
        if number != base.number
        for one, other in zip(shas[base.number], mine, strict=True)
        # A tower that a change leaves alone is the same file.
        if one != other
    ]
    judged = judge_family([comparison for _, comparison in pairs])
    found: dict[int, list[Comparison]] = {}
    for (number, _), comparison in zip(pairs, judged, strict=True):
        found.setdefault(number, []).append(comparison)
    numbered = {trial.number: trial for trial in trials}
    return [Confirmed(numbered[number], tuple(each)) for number, each in found.items()]
