"""Studies in a store: Optuna's tables in the same database as the records, so that any of its tools reads them.

A trial is one row that is written whole before anything of it runs. Each stage's result is an attribute of it, written
by the worker that has the result, and the trial's state changes last. Who finds a trial running goes on with the stage
that has no result yet.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pocketclip.benchmark.errors import OptionError, RecordError, StoreError, StudyError, StudyVersionError
from pocketclip.benchmark.store import open_store
from pocketclip.benchmark.store.location import BUSY_SECONDS, parse_location, reason, shown, sqlite_file, store_errors
from pocketclip.benchmark.tune.points import Point, SearchSpace
from pocketclip.benchmark.tune.settings import STUDY_VERSION, StudySettings
from pocketclip.benchmark.tune.trials import Closing, Ending, Failed, Judged, Measured, StageResult, Trained, Trial
from pocketclip.models import documents
from pocketclip.models.errors import MissingPackageError, choices, extra_command
from pocketclip.models.untrusted.names import PLAIN_NAME
from pocketclip.models.untrusted.printable import printable_line

if TYPE_CHECKING:
    import optuna
    import sqlalchemy as sa

_SETTINGS = "pocketclip_tune"
_ROUND, _PLACE, _CLOSING = "round", "place", "closing"
_MEASURED, _TRAINED, _JUDGED, _FAILED = "measured", "trained", "judged", "failed"


class StudyStore:
    """One study. Get it from `begin_study` or `read_study`."""

    def __init__(self, study: optuna.Study, url: sa.URL, settings: StudySettings) -> None:
        self._study = study
        self._url = url
        self.settings = settings

    @property
    def name(self) -> str:
        """The study's name in its store."""
        return self._study.study_name

    def trials(self, space: SearchSpace) -> list[Trial]:
        """All trials by number.

        Raises:
            StudyError: one is not of this space, or damaged.
            StoreError: the store cannot be read.
        """
        with _errors(self._url, "read", self.name):
            found = self._study.get_trials(deepcopy=False)
        return [_trial(each, space, self.name) for each in found]

    def add(self, space: SearchSpace, point: Point, round: int, place: int) -> None:
        """Begins a trial, in one transaction. Raises `StoreError`."""
        import optuna

        params = space.params(point)
        distributions: dict[str, Any] = {
            name: optuna.distributions.CategoricalDistribution(levels) for name, levels in space.space.levels.items()
        }
        trial = optuna.trial.create_trial(
            state=optuna.trial.TrialState.RUNNING,
            params=params,
            distributions=distributions,
            user_attrs={_ROUND: round, _PLACE: place},
        )
        with _errors(self._url, "write"):
            self._study.add_trial(trial)

    def keep(self, number: int, result: StageResult) -> None:
        """Keeps the result of a trial's stage. Raises `StoreError`."""
        key = f"{_TRAINED}-{result.rung}" if isinstance(result, Trained) else result.kind
        with _errors(self._url, "write"):
            storage, study_id = self._study._storage, self._study._study_id
            identity = storage.get_trial_id_from_study_id_trial_number(study_id, number)
            storage.set_trial_user_attr(identity, key, documents.to_builtin(result))

    def close(self, trial: Trial, closing: Closing) -> None:
        """Ends a trial; what is there already is left as it is. Raises `StoreError`."""
        import optuna

        states = optuna.trial.TrialState
        state = {Ending.JUDGED: states.COMPLETE, Ending.FAILED: states.FAIL}.get(closing.ending, states.PRUNED)
        values = None
        if state is states.COMPLETE:
            assert trial.measured is not None
            values = [trial.measured.cost, trial.measured.size_bytes if trial.judged is None else trial.judged.accuracy]
        with _errors(self._url, "write", self.name):
            storage, study_id = self._study._storage, self._study._study_id
            identity = storage.get_trial_id_from_study_id_trial_number(study_id, trial.number)
            if storage.get_trial(identity).state.is_finished():
                return
            storage.set_trial_user_attr(identity, _CLOSING, documents.to_builtin(closing))
            self._study.tell(trial.number, values, state=state)


@contextmanager
def begin_study(location: str, name: str, settings: StudySettings) -> Iterator[StudyStore]:
    """Opens a study to go on with it, and makes one where there is none.

    Raises:
        StudyError: the study was begun with other settings, is another program's, or damaged.
        StudyVersionError: another version of `tune` began it.
        StoreError: the store cannot be opened or written.
    """
    # The store of records first: it makes the file, and sets how its journal is written.
    with open_store(location), _opened(location) as (storage, url):
        import optuna

        with _errors(url, "open", name):
            direction = "maximize" if settings.train else "minimize"
            study = optuna.create_study(
                storage=storage, study_name=name, directions=["minimize", direction], load_if_exists=True
            )
            text = study.user_attrs.get(_SETTINGS)
            if text is None and not study.get_trials(deepcopy=False):
                study.set_user_attr(_SETTINGS, documents.to_builtin(settings))
                text = documents.to_builtin(settings)
        found = _settings(text, name)
        if differences := settings.differences(found):
            raise StudyError(
                f"the study {name!r} was begun with other settings: {', '.join(differences)}",
                fix="give those again, or another --study",
            )
        yield StudyStore(study, url, found)


@contextmanager
def read_study(location: str, name: str) -> Iterator[StudyStore]:
    """Opens a study that is there, with the settings that it was begun with.

    Raises:
        StudyError: there is none of that name (the message lists those that there are), or it is damaged.
        StudyVersionError, StoreError: as `begin_study`.
    """
    with open_store(location, create=False), _opened(location) as (storage, url):
        import optuna
        import sqlalchemy as sa

        with _errors(url, "read", name):
            # Names alone: Optuna reads all of each study with them, and would stumble over a damaged other one.
            with storage.engine.connect() as connection:
                names = list(connection.scalars(sa.text("SELECT study_name FROM studies ORDER BY study_id")))
            if name not in names:
                raise StudyError(
                    f"{shown(url)} has no study {name!r}; it has: {choices(names)}",
                    fix="begin one with `pocketclip tune`",
                )
            study = optuna.load_study(storage=storage, study_name=name)
            text = study.user_attrs.get(_SETTINGS)
        yield StudyStore(study, url, _settings(text, name))


@contextmanager
def _opened(location: str) -> Iterator[tuple[optuna.storages.RDBStorage, sa.URL]]:
    optuna = import_optuna()
    url = parse_location(location)
    options: dict[str, Any] = {}
    if sqlite_file(url) is not None:
        options = {"connect_args": {"timeout": BUSY_SECONDS}}
    with _errors(url, "open"):
        try:
            storage = optuna.storages.RDBStorage(url.render_as_string(hide_password=False), engine_kwargs=options)
        except RuntimeError as error:
            raise StudyVersionError(
                f"the studies in {shown(url)} were made by another version of Optuna ({reason(error)})",
                fix="install that version, or give another --store",
            ) from error
    try:
        yield storage, url
    finally:
        storage.remove_session()
        storage.engine.dispose()


def check_name(name: str) -> str:
    """The name of a study: a plain one, since folders and the tags of records are named for it.

    Raises:
        OptionError: it is none.
    """
    fault = PLAIN_NAME.fault(name)
    if fault is not None:
        raise OptionError(f"--study {fault}")
    return name


def keep_result(location: str, name: str, number: int, result: StageResult) -> None:
    """Keeps the result of a trial's stage, from any process. Raises `StoreError`, `StudyError`."""
    with read_study(location, name) as study:
        study.keep(number, result)


def import_optuna() -> Any:
    """Optuna, which says nothing by itself.

    Raises:
        MissingPackageError: it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise MissingPackageError(
            f"tune needs Optuna, which is not installed ({error})", fix=f"install it with: {extra_command('tune')}"
        ) from error
    optuna.logging.disable_default_handler()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


@contextmanager
def _errors(url: sa.URL, verb: str, name: str | None = None) -> Iterator[None]:
    """Words what Optuna and the database say as `StoreError`.

    Where the study of a `name` is read, what Optuna stumbles over in its tables is a `StudyError`.
    """
    from optuna.exceptions import OptunaError

    with store_errors(url, verb):
        try:
            yield
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            if name is None:
                raise
            words = printable_line(f"{type(error).__name__}: {reason(error)}")
            raise StudyError(
                f"the study {name!r} of {shown(url)} is damaged: {words}",
                fix="give another --study",
            ) from error
        except OptunaError as error:
            cause = error.__cause__ or error
            raise StoreError(
                f"cannot {verb} the studies of {shown(url)}: {reason(cause)}",
                fix="check that the disk has space and that you may write there; the same command goes on",
            ) from error


def _settings(content: Any, name: str) -> StudySettings:
    version = content.get("schema_version") if isinstance(content, dict) else None
    if content is None:
        raise StudyError(f"the study {name!r} is not one of `pocketclip tune`", fix="give another --study")
    if version != STUDY_VERSION:
        raise StudyVersionError(
            f"the study {name!r} has version {version!r}; this PocketCLIP goes on with {STUDY_VERSION}",
            fix="give another --study, or go on with the PocketCLIP that began it",
        )
    return documents.parse(StudySettings, json.dumps(content), source=f"the study {name!r}", error=StudyError)


def _trial(frozen: optuna.trial.FrozenTrial, space: SearchSpace, name: str) -> Trial:
    where = f"trial {frozen.number} of the study {name!r}"
    attributes: Mapping[str, Any] = frozen.user_attrs

    def read(kind: type[Any], key: str) -> Any:
        if key not in attributes:
            return None
        return documents.parse(kind, json.dumps(attributes[key]), source=f"{where}, {key}", error=StudyError)

    round_number, place = attributes.get(_ROUND), attributes.get(_PLACE)
    if not isinstance(round_number, int) or not isinstance(place, int):
        raise StudyError(f"{where} was not begun by `pocketclip tune`", fix="give another --study")
    rungs = sorted(int(key.removeprefix(f"{_TRAINED}-")) for key in attributes if _is_rung(key))
    trained = tuple(read(Trained, f"{_TRAINED}-{rung}") for rung in rungs)
    if [each.rung for each in trained] != list(range(len(trained))):
        raise RecordError(f"{where} lacks a rung of training")
    return Trial(
        frozen.number,
        space.point(frozen.params),
        round_number,
        place,
        read(Measured, _MEASURED),
        trained,
        read(Judged, _JUDGED),
        read(Failed, _FAILED),
        read(Closing, _CLOSING) if frozen.state.is_finished() else None,
    )


def _is_rung(key: str) -> bool:
    return key.startswith(f"{_TRAINED}-") and key.removeprefix(f"{_TRAINED}-").isdecimal()
