"""Evaluate: the accuracy of models and artefacts, with confidence intervals."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pocketclip.benchmark.default_store import DEFAULT_STORE
from pocketclip.benchmark.errors import FailedArtifactsError, StoreError
from pocketclip.export.api import Artifact, folders_of
from pocketclip.models.api import Model
from pocketclip.models.progress import CountingWatch, OnProgress, silent

if TYPE_CHECKING:
    from pocketclip.benchmark.errors import ContestantError
    from pocketclip.benchmark.evaluation.evaluation import AnyRecord

_LOG = logging.getLogger("pocketclip.benchmark")


@dataclass(frozen=True)
class EvaluateOptions:
    """How samples are evaluated. Each field is the `pocketclip eval` option of the same name."""

    data_root: str | Path = "data"
    templates: str | Path | None = None
    classes: str | Path | None = None
    baseline: str | Path | None = None
    weights: str | Path | None = None
    batch_size: int = 64
    device: str = "cpu"
    seed: int = 0
    max_skipped: float | None = None
    skip_corrupt: bool = False
    resume: bool = False
    partial: bool = False
    cache: str | Path | None = None


def evaluate(
    subject: Model | Artifact | str | Path | Sequence[Artifact | str | Path],
    dataset: str = "scenes",
    *,
    count: int | None = None,
    options: EvaluateOptions | None = None,
    store: str | Path | None = None,
    on_progress: OnProgress = silent,
    on_record: Callable[[AnyRecord], object] = silent,
) -> list[AnyRecord]:
    """Evaluates zero-shot classification or retrieval.

    Args:
        subject: a PyTorch model, or folders with pairs of artefacts, or bundles.
        dataset: `scenes`, a split of the pictures such as `pictures-design`, a published set such as `imagenet-v2`, or
            your own: `folder:PATH`, `csv:FILE`, `webdataset:PATTERN`, `retrieval:CSV` (docs/evaluation.md).
        count: the number of samples; None uses all (960 for scenes).
        options: all other settings.
        store: the store for records; None stores none.
        on_progress: called as samples are evaluated.
        on_record: called with each record as soon as it is complete.

    Returns:
        A record for each evaluation; a baseline comes before the records that are compared with it.

    Raises:
        DatasetError, PromptError: the data set cannot be read.
        ArtifactNotFoundError: there is no pair of towers.
        ContestantError, FailedArtifactsError: a model crashes, hangs or gives NaN; the others were evaluated.
        StoreError: the store cannot be written.
    """
    from pocketclip.benchmark.evaluation.contestants import TorchSettings
    from pocketclip.benchmark.evaluation.entries import artifact_entries, model_entries, torch_device, with_templates
    from pocketclip.benchmark.evaluation.evaluation import Evaluation, EvaluationSettings, notes_on
    from pocketclip.benchmark.store import open_store
    from pocketclip.models.evaluation.datasets import SetOptions, open_dataset
    from pocketclip.models.evaluation.samples import MAX_CORRUPT_SHARE

    chosen = options or EvaluateOptions()
    leaves_out = chosen.skip_corrupt or bool(chosen.max_skipped)
    found = open_dataset(
        dataset,
        SetOptions(
            Path(chosen.data_root),
            _words(chosen.templates),
            _path(chosen.classes),
            count,
            chosen.seed,
            leaves_out,
            partial=chosen.partial,
        ),
    )
    told = notes_on(found, whole=count is None)
    for words in told:
        _LOG.info("note: %s", words)
    settings = TorchSettings(chosen.batch_size, torch_device(chosen.device))
    if isinstance(subject, Model):
        entries = model_entries(subject.choice, _words(chosen.baseline), settings)
    else:
        entries, own_templates = artifact_entries(
            folders_of(subject), _words(chosen.weights), _words(chosen.baseline), settings
        )
        if own_templates is not None and chosen.templates is None:
            found = with_templates(found, dataset, own_templates)
    share = MAX_CORRUPT_SHARE if chosen.max_skipped is None else chosen.max_skipped
    finished: list[AnyRecord] = []
    with ExitStack() as held:
        if store is None:
            place = held.enter_context(tempfile.TemporaryDirectory(prefix="pocketclip-evaluation-"))
            store = str(Path(place, "records.sqlite"))
        folder = _path(chosen.cache) or _beside(str(store))
        records = held.enter_context(open_store(str(store)))
        evaluation = Evaluation(
            found,
            EvaluationSettings(
                folder, folder / "text", resume=chosen.resume, skip_corrupt=leaves_out, max_skipped=share
            ),
            records,
            CountingWatch(on_progress),
        )
        try:
            for record in evaluation.run(entries):
                finished.append(record)
                on_record(record)
        except KeyboardInterrupt:
            _LOG.info("interrupted; to continue, run the same command with --resume")
            raise
        except StoreError:
            _LOG.warning("every prediction is kept; the same command with --resume continues from here")
            raise
        finally:
            evaluation.close()
        if not evaluation.failures:
            evaluation.finish()
    # Of shards it is known only once they have been read.
    for words in notes_on(found, whole=count is None):
        if words not in told:
            _LOG.info("note: %s", words)
    _log_left_out(finished)
    _raise_failures(evaluation.failures, len(entries))
    return finished


def _log_left_out(finished: Sequence[AnyRecord]) -> None:
    from pocketclip.models.pixels.colour_profiles import ignored_words

    if profiled := next((record for record in finished if record.ignored_profiles), None):
        _LOG.info("note: %s", ignored_words(profiled.ignored_profiles, profiled.first_ignored_profile))
    if lacking := next((record for record in finished if record.skipped), None):
        _LOG.warning(
            "%d unreadable samples were skipped (first: %s); the record names all",
            len(lacking.skipped),
            lacking.skipped[0],
        )


def _raise_failures(failures: Sequence[ContestantError], asked: int) -> None:
    """Ends the command where something could not be judged; each has been told of already.

    Raises:
        ContestantError: nothing else was asked for; the exit code is that of its cause.
        FailedArtifactsError: there were others.
    """
    if not failures:
        return
    kept = "finished work is kept; the same command with --resume continues from here"
    if asked == 1 and len(failures) == 1:
        raise failures[0]
    raise FailedArtifactsError(f"{len(failures)} could not be evaluated, the first: {failures[0]}; {kept}")


def _words(given: str | Path | None) -> str | None:
    return None if given is None else str(given)


def _path(given: str | Path | None) -> Path | None:
    return None if given is None else Path(given)


def _beside(store: str) -> Path:
    """The folder `evaluation` beside a store that is a file; beside the default one for a database elsewhere."""
    place = DEFAULT_STORE if "://" in store else store
    return Path(place).parent / "evaluation"
