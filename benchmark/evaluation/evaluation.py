"""Runs evaluations: each contestant over the data set, resumable, its baseline first, one record each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from pocketclip.benchmark.errors import ContestantError
from pocketclip.benchmark.evaluation.contestants import Contestant
from pocketclip.benchmark.evaluation.foreign_towers import TowerProcesses
from pocketclip.benchmark.evaluation.recording import accuracy_record, retrieval_record
from pocketclip.benchmark.records.accuracy import AccuracyRecord, RetrievalRecord, Side
from pocketclip.benchmark.records.benchmark import new_record_id
from pocketclip.benchmark.store import Store
from pocketclip.models.data.left_out import described
from pocketclip.models.evaluation.classification import ZeroShotResult, classify
from pocketclip.models.evaluation.encoders import Encoder
from pocketclip.models.evaluation.folders import equal_classes
from pocketclip.models.evaluation.journal import Journal, JournalHeader, open_journal
from pocketclip.models.evaluation.prompts import prompt_set
from pocketclip.models.evaluation.retrieval import RetrievalResult, RetrievalSet, retrieve
from pocketclip.models.evaluation.samples import MAX_CORRUPT_SHARE, ClassificationSet
from pocketclip.models.evaluation.text_cache import cached_class_embeddings

AnyRecord = AccuracyRecord | RetrievalRecord
AnyResult = ZeroShotResult | RetrievalResult


@dataclass(frozen=True)
class Entry:
    """One contestant to judge; `baseline` is opened only when its turn comes."""

    contestant: Contestant
    baseline: Callable[[], Contestant] | None = None


@dataclass(frozen=True)
class EvaluationSettings:
    """How evaluations run.

    Attributes:
        folder: where predictions of running evaluations and cached text embeddings are kept.
        text_cache: where text embeddings are kept.
        resume: go on from interrupted evaluations.
        skip_corrupt: leave unreadable samples out.
        max_skipped: share of the set that may be unreadable; with 0 none is left out, of shards neither.
    """

    folder: Path
    text_cache: Path
    resume: bool = False
    skip_corrupt: bool = False
    max_skipped: float = MAX_CORRUPT_SHARE


class Watch(Protocol):
    """Who is told how an evaluation goes."""

    def begin(self, label: str, total: int | None) -> None:
        """A part begins; `total` None where only its end tells how long it is."""
        ...

    def advance(self, count: int) -> None:
        """So many samples, or prompts, are done."""
        ...

    def note(self, message: str) -> None:
        """Something a user should know."""
        ...


@dataclass(frozen=True)
class _Judged:
    result: AnyResult
    executed_by: str
    journal: Journal


class Evaluation:
    """Judges contestants on one data set. Its journals stay on disk until `finish`: no interrupted run comes so far."""

    def __init__(
        self, dataset: ClassificationSet | RetrievalSet, settings: EvaluationSettings, store: Store, watch: Watch
    ) -> None:
        self._dataset = dataset
        self._settings = settings
        self._store = store
        self._watch = watch
        self._prompts = (
            None if isinstance(dataset, RetrievalSet) else prompt_set(dataset.class_names, dataset.templates)
        )
        self._judged: dict[Side, _Judged] = {}
        self._recorded: set[Side] = set()
        self._failed: dict[Side, ContestantError] = {}
        self._processes = TowerProcesses()

    @property
    def failures(self) -> tuple[ContestantError, ...]:
        """Why contestants could not be judged, in order."""
        return tuple(self._failed.values())

    def run(self, entries: Sequence[Entry]) -> Iterator[AnyRecord]:
        """A record for each contestant, as they are ready and stored; that of a baseline comes before.

        One that cannot be opened or run is among `failures`, and the others go on; where it is a baseline, they are
        compared with nothing.

        Raises:
            PocketClipError: as `classify` and `retrieve`, and whatever finding a baseline raises.
        """
        # Of a single one, what the command ends with tells.
        tell = len(entries) > 1
        for entry in entries:
            baseline = None if entry.baseline is None else entry.baseline()
            side = entry.contestant.side
            if baseline is not None and baseline.side not in self._recorded:
                yield from self._try(baseline, None, tell=tell)
            if baseline is not None and (baseline.side == side or baseline.side in self._failed):
                baseline = None
            if side not in self._recorded:
                yield from self._try(entry.contestant, baseline, tell=tell)

    def _try(self, contestant: Contestant, baseline: Contestant | None, *, tell: bool) -> Iterator[AnyRecord]:
        if contestant.side in self._failed:
            return
        try:
            record = self._record(contestant, baseline)
        except ContestantError as error:
            self._failed[contestant.side] = error
            if tell:
                self._watch.note(f"failed: {error}")
            return
        yield record

    def finish(self) -> None:
        """Removes the journals: every result is in the store."""
        for judged in self._judged.values():
            judged.journal.remove()

    def close(self) -> None:
        """Ends the processes that ran artefacts; closes the journals and leaves them for `resume`."""
        self._processes.close()
        for judged in self._judged.values():
            judged.journal.close()

    def _record(self, contestant: Contestant, baseline: Contestant | None) -> AnyRecord:
        judged = self._judge(contestant)
        record_id = judged.journal.run_id
        before = None if baseline is None else (baseline.side, self._judge(baseline).result)
        record = self._worded(contestant, judged, before, record_id)
        stored = self._store.find(record_id)
        if stored is not None and not _is_same(record, stored):
            # The same predictions, compared with another baseline than before the interruption.
            record = replace(record, record_id=new_record_id())
            stored = None
        if stored is None:
            self._store.append(record)
        self._recorded.add(contestant.side)
        return record

    def _worded(
        self, contestant: Contestant, judged: _Judged, before: tuple[Side, AnyResult] | None, record_id: str
    ) -> AnyRecord:
        result, dataset = judged.result, self._dataset
        side, facts, executed_by = contestant.side, contestant.facts, judged.executed_by
        if isinstance(result, RetrievalResult):
            assert isinstance(dataset, RetrievalSet)
            other = (before[0], before[1]) if before and isinstance(before[1], RetrievalResult) else None
            return retrieval_record(
                side, dataset, result, executed_by=executed_by, record_id=record_id, weights=facts, baseline=other
            )
        assert isinstance(dataset, ClassificationSet) and self._prompts is not None
        paired = (before[0], before[1]) if before and isinstance(before[1], ZeroShotResult) else None
        return accuracy_record(
            side,
            dataset,
            self._prompts,
            result,
            executed_by=executed_by,
            record_id=record_id,
            weights=facts,
            baseline=paired,
        )

    def _judge(self, contestant: Contestant) -> _Judged:
        known = self._judged.get(contestant.side)
        if known is not None:
            return known
        encoder = contestant.open(self._processes)
        journal = open_journal(
            self._settings.folder / "predictions", self._header(contestant, encoder), resume=self._settings.resume
        )
        self._tell(contestant, journal)
        try:
            judged = _Judged(self._run_one(contestant, encoder, journal), encoder.identity.executed_by, journal)
        except BaseException:
            journal.close()
            raise
        self._judged[contestant.side] = judged
        return judged

    def _run_one(self, contestant: Contestant, encoder: Encoder, journal: Journal) -> AnyResult:
        dataset, watch, settings = self._dataset, self._watch, self._settings
        skip, share = settings.skip_corrupt, settings.max_skipped
        if isinstance(dataset, RetrievalSet):
            watch.begin(contestant.label, dataset.count)
            return retrieve(encoder, dataset, journal, skip_corrupt=skip, max_skipped=share, advance=watch.advance)
        assert self._prompts is not None
        watch.begin(f"{contestant.label}, prompts", self._prompts.count)
        classes = cached_class_embeddings(
            self._settings.text_cache, self._prompts, encoder, watch.advance, warn=watch.note
        )
        watch.begin(contestant.label, dataset.count)
        return classify(encoder, dataset, classes, journal, skip_corrupt=skip, max_skipped=share, advance=watch.advance)

    def _header(self, contestant: Contestant, encoder: Encoder) -> JournalHeader:
        identity, prompts = encoder.identity, self._prompts
        return JournalHeader(
            model=contestant.label,
            image=identity.image_sha256,
            text=identity.text_sha256,
            inputs=identity.inputs,
            executed_by=identity.executed_by,
            dataset=self._dataset.name,
            split=self._dataset.split,
            dataset_sha256=self._dataset.sha256,
            prompts_sha256=_NO_PROMPTS if prompts is None else prompts.sha256,
            skip_corrupt=self._settings.skip_corrupt,
        )

    def _tell(self, contestant: Contestant, journal: Journal) -> None:
        if journal.resumed_at:
            self._watch.note(f"{contestant.label}: resuming after {journal.resumed_at:,} samples")
        if journal.set_aside is not None:
            self._watch.note(
                f"{contestant.label}: an interrupted evaluation was kept as {journal.set_aside}; "
                "--resume would have continued it"
            )


_NO_PROMPTS = "captions"


def _is_same(record: AnyRecord, stored: object) -> bool:
    """Whether a record says what a stored one says; when it was made does not matter."""
    return isinstance(stored, type(record)) and replace(record, created_at=stored.created_at) == stored


def notes_on(dataset: ClassificationSet | RetrievalSet, *, whole: bool) -> list[str]:
    """What to tell a user of a set before it is judged: what lacks, what was passed over, what cannot be told apart.

    Args:
        dataset: the set.
        whole: whether all of it is judged, and not a part that the user asked for.

    Raises:
        DatasetError: a class has no text.
    """
    notes = [described(dataset.left_out.entries)]
    if isinstance(dataset, RetrievalSet):
        if dataset.shared_captions:
            notes.append(
                f"{dataset.shared_captions:,} captions belong to several images each; any of these images is correct"
            )
    else:
        if whole:
            notes.append(missing_samples(dataset))
        notes.append(equal_classes(dataset.class_names))
    return [f"{dataset.name}: {note.removeprefix(f'{dataset.name}: ')}" for note in notes if note is not None]


def missing_samples(dataset: ClassificationSet | RetrievalSet) -> str | None:
    """What to tell a user whose copy of a published set is not whole; None where nothing is amiss."""
    if isinstance(dataset, RetrievalSet):
        return None
    parts: list[str] = []
    whole = dataset.published_count
    if whole is not None and dataset.count is not None and dataset.count != whole:
        parts.append(f"{dataset.count:,} images instead of the published {whole:,}")
    if dataset.classes_shown is not None and dataset.classes_shown < len(dataset.class_names):
        absent = len(dataset.class_names) - dataset.classes_shown
        parts.append(f"no image of {absent:,} of {len(dataset.class_names):,} classes")
    if not parts:
        return None
    return f"{dataset.name}: {' and '.join(parts)}; all classes remain candidates"
