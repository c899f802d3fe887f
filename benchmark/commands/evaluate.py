"""The `eval` command: how accurate a PyTorch model or exported artefacts are on a data set, and against a baseline.

Heavy imports live inside the functions: `--help` must not wait for torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketclip.benchmark.commands.options import DEFAULT_STORE, StoreOption
from pocketclip.models.terminal import command_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pocketclip.benchmark.errors import ContestantError
    from pocketclip.benchmark.evaluation.contestants import Contestant, TorchSettings
    from pocketclip.benchmark.evaluation.evaluation import AnyRecord, Entry
    from pocketclip.export.artifact.reading import Artifact
    from pocketclip.models.evaluation.prompts import Templates
    from pocketclip.models.evaluation.retrieval import RetrievalSet
    from pocketclip.models.evaluation.samples import ClassificationSet

_DATASETS = (
    "scenes, imagenet, imagenet-v2, imagenet-a, imagenet-o, imagenet-r, objectnet, folder:PATH, csv:FILE, "
    "webdataset:PATTERN or retrieval:CSV."
)


def eval_command(
    artifact: Annotated[
        list[Path] | None,
        typer.Option("--artifact", help="A folder of artefacts (pairs are found in it) or a bundle. Repeatable."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help="A registered model, a run's folder or a configuration file, in PyTorch."),
    ] = None,
    changes: command_line.ChangesOption = None,
    weights: command_line.WeightsOption = None,
    dataset: Annotated[str, typer.Option("--dataset", help=_DATASETS)] = "scenes",
    data_root: Annotated[
        Path, typer.Option("--data-root", help="The folder that holds the published sets, or one of them.")
    ] = Path("data"),
    templates: Annotated[
        str | None,
        typer.Option(
            "--templates",
            help="openai (80), simple (7), or a file: one a line, JSON or a Python list; {} for the class.",
        ),
    ] = None,
    classes: Annotated[
        Path | None,
        typer.Option("--classes", help="Class names: of folder: by folder name, of webdataset: one a line."),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            help="pytorch (default with --artifact), MODEL, MODEL=CHECKPOINT, or a folder with one exported pair.",
        ),
    ] = None,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Images PyTorch takes at a time.")] = 64,
    device: Annotated[str, typer.Option("--device", help="Where PyTorch runs: cpu, cuda, cuda:1, mps.")] = "cpu",
    count: Annotated[
        int | None, typer.Option("--count", min=1, help="Samples to judge: all by default, of scenes 960.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Which samples --count draws, or which scenes.")] = 0,
    max_skipped: Annotated[
        float | None,
        typer.Option(
            "--max-skipped",
            min=0,
            max=1,
            help="Share of samples that may be unusable; the record names them. By default 0, of shards 0.05.",
        ),
    ] = None,
    skip_corrupt: Annotated[bool, typer.Option("--skip-corrupt", help="Short for --max-skipped 0.05.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from an interrupted evaluation.")] = False,
    cache: Annotated[
        Path | None,
        typer.Option("--cache", help="Folder of text embeddings and running evaluations; by default beside the store."),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Judges zero-shot classification or retrieval, and says how sure the figures and the differences are."""
    if (model is None) == (not artifact):
        raise typer.BadParameter("name either --artifact (one or more) or --model")

    from pocketclip.benchmark.commands.eval_table import print_records
    from pocketclip.benchmark.commands.progress import evaluation_progress
    from pocketclip.benchmark.errors import StoreError
    from pocketclip.benchmark.evaluation.contestants import TorchSettings
    from pocketclip.benchmark.evaluation.evaluation import Evaluation, EvaluationSettings, notes_on
    from pocketclip.benchmark.store import open_store
    from pocketclip.models.evaluation.datasets import SetOptions, open_dataset
    from pocketclip.models.evaluation.samples import MAX_CORRUPT_SHARE
    from pocketclip.models.pixels.colour_profiles import ignored_words

    leaves_out = skip_corrupt or bool(max_skipped)
    found = open_dataset(dataset, SetOptions(data_root, templates, classes, count, seed, leaves_out))
    told = notes_on(found, whole=count is None)
    for words in told:
        command_line.note(f"note: {words}")
    settings = TorchSettings(batch_size, _device(device))
    if model is not None:
        entries = _model_entries(model, changes or [], weights, baseline, settings)
    else:
        entries, own_templates = _artifact_entries(artifact or [], weights, baseline, settings)
        if own_templates is not None and templates is None:
            found = _with_templates(found, dataset, own_templates)
    folder = cache or _beside(store)
    share = MAX_CORRUPT_SHARE if max_skipped is None else max_skipped
    finished: list[AnyRecord] = []
    with open_store(store) as records, evaluation_progress() as watch:
        evaluation = Evaluation(
            found,
            EvaluationSettings(folder, folder / "text", resume=resume, skip_corrupt=leaves_out, max_skipped=share),
            records,
            watch,
        )
        try:
            finished += evaluation.run(entries)
        except KeyboardInterrupt:
            command_line.note("interrupted; the same command with --resume goes on from here")
            raise
        except StoreError:
            command_line.note("every prediction is kept; the same command with --resume judges nothing again")
            raise
        finally:
            evaluation.close()
        if not evaluation.failures:
            evaluation.finish()
    print_records(finished)
    # Of shards it is known only once they have been read.
    for words in notes_on(found, whole=count is None):
        if words not in told:
            command_line.note(f"note: {words}")
    if profiled := next((record for record in finished if record.ignored_profiles), None):
        command_line.note(f"note: {ignored_words(profiled.ignored_profiles, profiled.first_ignored_profile)}")
    for record in finished:
        if record.skipped:
            command_line.note(
                f"warning: {len(record.skipped)} unreadable samples were left out (first: {record.skipped[0]}); "
                "the record names all"
            )
            break
    _raise_failures(evaluation.failures, len(entries))


def _raise_failures(failures: Sequence[ContestantError], asked: int) -> None:
    """Ends the command where something could not be judged; each has been told of already.

    Raises:
        ContestantError: nothing else was asked for; the exit code is that of its cause.
        FailedArtifactsError: there were others.
    """
    from pocketclip.benchmark.errors import FailedArtifactsError

    if not failures:
        return
    kept = "what is done is kept: the same command with --resume judges it no second time"
    if asked == 1 and len(failures) == 1:
        raise failures[0]
    raise FailedArtifactsError(f"{len(failures)} could not be judged, the first: {failures[0]}; {kept}")


def _model_entries(
    model: str, changes: list[str], weights: str | None, baseline: str | None, settings: TorchSettings
) -> list[Entry]:
    from pocketclip.benchmark.errors import EvaluationError
    from pocketclip.benchmark.evaluation.contestants import OWN_PYTORCH, chosen_contestant, parse_baseline
    from pocketclip.benchmark.evaluation.evaluation import Entry
    from pocketclip.models.registry import choose_model

    if baseline == OWN_PYTORCH:
        raise EvaluationError(
            f"--baseline {OWN_PYTORCH} is for --artifact: a model of PyTorch cannot be its own baseline; "
            "name another model or a folder with one exported pair"
        )
    chosen = choose_model(model, changes, weights)
    if chosen.untrained is not None:
        command_line.note(f"warning: random weights are judged: {chosen.untrained}")
    for caution in chosen.cautions:
        command_line.note(f"warning: {chosen.config.name}: {caution}")
    contestant = chosen_contestant(chosen, settings)
    if baseline is None:
        return [Entry(contestant)]
    other = parse_baseline(baseline, settings)
    if other.side == contestant.side:
        raise EvaluationError(f"--baseline {baseline} is the model itself; name another one")
    return [Entry(contestant, lambda: other)]


def _artifact_entries(
    paths: list[Path], weights: str | None, baseline: str | None, settings: TorchSettings
) -> tuple[list[Entry], Templates | None]:
    """What to judge at the paths, and the prompts of the bundles among them.

    Raises:
        ArtifactNotFoundError: there is no pair of towers at all, or one leaves the choice open.
    """
    import functools

    from pocketclip.benchmark.evaluation.bundle_contestant import bundle_contestant, bundle_pytorch, bundle_templates
    from pocketclip.benchmark.evaluation.contestants import OWN_PYTORCH, own_pytorch, pair_artifacts, pair_contestant
    from pocketclip.benchmark.evaluation.contestants import parse_baseline as parse
    from pocketclip.benchmark.evaluation.evaluation import Entry
    from pocketclip.export.artifact.names import BUNDLE_NAME
    from pocketclip.export.artifact.reading import find_artifacts
    from pocketclip.export.bundle.reading import read_bundle
    from pocketclip.export.untrained import warn_of_artifacts, warn_of_bundle

    bundles = [read_bundle(path) for path in paths if (path / BUNDLE_NAME).is_file()]
    folders = [path for path in paths if not (path / BUNDLE_NAME).is_file()]
    pairing = pair_artifacts(find_artifacts(folders) if folders else [])
    warn_of_artifacts([image for image, _ in pairing.pairs])
    _tell_alone(pairing.alone, nothing_else=not pairing.pairs and not bundles)
    for bundle in bundles:
        warn_of_bundle(bundle)
        image, text = bundle.manifest.image, bundle.manifest.text
        if (image.target, image.precision) != (text.target, text.precision):
            command_line.note(
                f"note: {bundle.folder} has towers of two precisions, {image.target}-{image.precision} and "
                f"{text.target}-{text.precision}; tables and records name the image tower's"
            )
    other = None if baseline is None or baseline == OWN_PYTORCH else parse(baseline, settings)
    images = {image.manifest.model.weights_sha256: image for image, _ in pairing.pairs}

    @functools.cache
    def own(weights_sha256: str) -> Contestant:
        return own_pytorch(images[weights_sha256], weights, settings)

    entries: list[Entry] = []
    for image, text in pairing.pairs:
        made_from = functools.partial(own, image.manifest.model.weights_sha256)
        entries.append(Entry(pair_contestant(image, text), made_from if other is None else lambda: other))
    for bundle in bundles:
        contestant = bundle_contestant(bundle)
        if any(entry.contestant.side == contestant.side for entry in entries):
            command_line.note(f"note: {bundle.folder} has the towers of another --artifact; they are judged once")
            continue
        before = bundle_pytorch(bundle, weights, settings) if other is None else other
        if before is None:
            command_line.note(
                f"note: {bundle.folder} does not say how {bundle.manifest.model.name} is built in PyTorch: it is "
                "compared with nothing; give --baseline MODEL.json=CHECKPOINT for a drop"
            )
        entries.append(Entry(contestant, None if before is None else functools.partial(_same, before)))
    return entries, bundle_templates(bundles)


def _same(contestant: Contestant) -> Contestant:
    return contestant


def _tell_alone(alone: Sequence[Artifact], *, nothing_else: bool) -> None:
    """Says which artefacts are left out for want of their other tower; an error where nothing else is there."""
    from pocketclip.export.errors import ArtifactNotFoundError
    from pocketclip.export.precision import Tower

    if not alone:
        return
    first = alone[0]
    lacking = Tower.TEXT if first.manifest.tower is Tower.IMAGE else Tower.IMAGE
    count = f"{len(alone)} {'artefact has' if len(alone) == 1 else 'artefacts have'} no other tower"
    words = f"{count} (first: {first.label} at {first.folder}, which lacks its {lacking} tower)"
    if nothing_else:
        raise ArtifactNotFoundError(
            f"{words}, and there is no pair to judge; export it with --tower both, or give --artifact twice"
        )
    command_line.note(f"note: {words} and {'is' if len(alone) == 1 else 'are'} left out")


def _with_templates(
    found: ClassificationSet | RetrievalSet, dataset: str, templates: Templates
) -> ClassificationSet | RetrievalSet:
    """The set with a bundle's prompts, where it is the user's own and says nothing of prompts."""
    from dataclasses import replace

    from pocketclip.models.evaluation.samples import ClassificationSet

    own = dataset.startswith(("folder:", "webdataset:"))
    # A set of shards with templates beside it is named for that file.
    if not isinstance(found, ClassificationSet) or not own or found.templates.name != "openai":
        return found
    command_line.note(f"note: prompts are the bundle's own ({templates.name}); --templates takes others")
    return replace(found, templates=templates)


def _device(name: str) -> str:
    import torch

    from pocketclip.benchmark.errors import EvaluationError

    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise EvaluationError(f"PyTorch cannot run on --device {name!r}: {reason}; take cpu") from error
    return name


def _beside(store: str) -> Path:
    """The folder `evaluation` beside a store that is a file; beside the default one for a database elsewhere."""
    place = DEFAULT_STORE if "://" in store else store
    return Path(place).parent / "evaluation"
