"""The `eval` command: how accurate a PyTorch model or exported artefacts are on a data set, and against a baseline.

Heavy imports live inside the functions: `--help` must not wait for torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli import DEFAULT_STORE, StoreOption
from models import command_line

if TYPE_CHECKING:
    from benchmark.contestants import TorchSettings
    from benchmark.evaluation import AnyRecord, Entry

_DATASETS = (
    "scenes, imagenet, imagenet-v2, imagenet-a, imagenet-o, imagenet-r, objectnet, folder:PATH, webdataset:PATTERN "
    "or retrieval:CSV."
)


def eval_command(
    artifact: Annotated[
        list[Path] | None,
        typer.Option("--artifact", help="A folder of artefacts; pairs of towers are found in it. Repeatable."),
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
        typer.Option("--templates", help="openai (80), simple (7), or a file: one a line, {} for the class."),
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
    skip_corrupt: Annotated[
        bool, typer.Option("--skip-corrupt", help="Leave unreadable samples out; the record names them.")
    ] = False,
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

    from benchmark.contestants import TorchSettings
    from benchmark.errors import StoreError
    from benchmark.eval_progress import evaluation_progress
    from benchmark.eval_table import print_records
    from benchmark.evaluation import Evaluation, EvaluationSettings, missing_samples
    from benchmark.store import open_store
    from models.evaluation.datasets import SetOptions, open_dataset

    found = open_dataset(dataset, SetOptions(data_root, templates, classes, count, seed))
    if count is None and (missing := missing_samples(found)):
        command_line.note(f"note: {missing}")
    settings = TorchSettings(batch_size, _device(device))
    if model is not None:
        entries = _model_entries(model, changes or [], weights, baseline, settings)
    else:
        entries = _artifact_entries(artifact or [], weights, baseline, settings)
    folder = cache or _beside(store)
    finished: list[AnyRecord] = []
    with open_store(store) as records, evaluation_progress() as watch:
        evaluation = Evaluation(
            found,
            EvaluationSettings(folder, folder / "text", resume=resume, skip_corrupt=skip_corrupt),
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
        evaluation.finish()
    print_records(finished)
    for record in finished:
        if record.skipped:
            command_line.note(
                f"warning: {len(record.skipped)} unreadable samples were left out (first: {record.skipped[0]}); "
                "the record names all"
            )
            break


def _model_entries(
    model: str, changes: list[str], weights: str | None, baseline: str | None, settings: TorchSettings
) -> list[Entry]:
    from benchmark.contestants import OWN_PYTORCH, chosen_contestant, parse_baseline
    from benchmark.errors import EvaluationError
    from benchmark.evaluation import Entry
    from models.registry import choose_model

    if baseline == OWN_PYTORCH:
        raise EvaluationError(
            f"--baseline {OWN_PYTORCH} is for --artifact: a model of PyTorch cannot be its own baseline; "
            "name another model or a folder with one exported pair"
        )
    chosen = choose_model(model, changes, weights)
    if chosen.untrained is not None:
        command_line.note(f"warning: random weights are judged: {chosen.untrained}")
    contestant = chosen_contestant(chosen, settings)
    if baseline is None:
        return [Entry(contestant)]
    other = parse_baseline(baseline, settings)
    if other.side == contestant.side:
        raise EvaluationError(f"--baseline {baseline} is the model itself; name another one")
    return [Entry(contestant, lambda: other)]


def _artifact_entries(
    folders: list[Path], weights: str | None, baseline: str | None, settings: TorchSettings
) -> list[Entry]:
    import functools

    from benchmark.contestants import OWN_PYTORCH, Contestant, own_pytorch, pair_artifacts, pair_contestant
    from benchmark.contestants import parse_baseline as parse
    from benchmark.evaluation import Entry
    from export.artifact import find_artifacts
    from export.untrained import warn_of_artifacts

    pairs = pair_artifacts(find_artifacts(folders))
    warn_of_artifacts(image for image, _ in pairs)
    if baseline not in (None, OWN_PYTORCH):
        other = parse(baseline, settings)
        return [Entry(pair_contestant(*pair), lambda: other) for pair in pairs]
    images = {image.manifest.model.weights_sha256: image for image, _ in pairs}

    @functools.cache
    def own(weights_sha256: str) -> Contestant:
        return own_pytorch(images[weights_sha256], weights, settings)

    return [
        Entry(pair_contestant(image, text), functools.partial(own, image.manifest.model.weights_sha256))
        for image, text in pairs
    ]


def _device(name: str) -> str:
    import torch

    from benchmark.errors import EvaluationError

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
