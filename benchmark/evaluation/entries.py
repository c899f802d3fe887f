"""What an evaluation judges: a model in PyTorch, pairs of artefacts, bundles, each with what it is compared with."""

from __future__ import annotations

import functools
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pocketclip.benchmark.errors import EvaluationError
from pocketclip.benchmark.evaluation.bundle_contestant import bundle_contestant, bundle_pytorch, bundle_templates
from pocketclip.benchmark.evaluation.contestants import (
    OWN_PYTORCH,
    Contestant,
    TorchSettings,
    chosen_contestant,
    own_pytorch,
    pair_artifacts,
    pair_contestant,
    parse_baseline,
)
from pocketclip.benchmark.evaluation.evaluation import Entry
from pocketclip.export.artifact.names import BUNDLE_NAME
from pocketclip.export.artifact.reading import Artifact, find_artifacts
from pocketclip.export.bundle.reading import read_bundle
from pocketclip.export.errors import ArtifactNotFoundError
from pocketclip.export.precision import Tower
from pocketclip.export.untrained import warn_of_artifacts, warn_of_bundle
from pocketclip.models.evaluation.prompts import Templates
from pocketclip.models.evaluation.retrieval import RetrievalSet
from pocketclip.models.evaluation.samples import ClassificationSet
from pocketclip.models.registry import ChosenModel

_LOG = logging.getLogger("pocketclip.benchmark")


def model_entries(chosen: ChosenModel, baseline: str | None, settings: TorchSettings) -> list[Entry]:
    """What to judge of a model in PyTorch, against a baseline where one is named.

    Raises:
        EvaluationError: the baseline is the model itself, or its own form in PyTorch.
    """
    if baseline == OWN_PYTORCH:
        raise EvaluationError(
            f"--baseline {OWN_PYTORCH} requires --artifact: a PyTorch model cannot be its own baseline",
            fix="give another model, or a folder with one exported pair",
        )
    if chosen.untrained is not None:
        _LOG.warning(f"evaluating random weights: {chosen.untrained}")
    for caution in chosen.cautions:
        _LOG.warning(f"{chosen.config.name}: {caution}")
    contestant = chosen_contestant(chosen, settings)
    if baseline is None:
        return [Entry(contestant)]
    other = parse_baseline(baseline, settings)
    if other.side == contestant.side:
        raise EvaluationError(f"--baseline {baseline} is the model itself", fix="name another one")
    return [Entry(contestant, lambda: other)]


def artifact_entries(
    paths: Sequence[Path], weights: str | None, baseline: str | None, settings: TorchSettings
) -> tuple[list[Entry], Templates | None]:
    """What to judge at the paths, and the prompts of the bundles among them.

    Raises:
        ArtifactNotFoundError: there is no pair of towers at all, or one leaves the choice open.
    """
    bundles = [read_bundle(path) for path in paths if (path / BUNDLE_NAME).is_file()]
    folders = [path for path in paths if not (path / BUNDLE_NAME).is_file()]
    pairing = pair_artifacts(find_artifacts(folders) if folders else [])
    warn_of_artifacts([image for image, _ in pairing.pairs])
    _tell_alone(pairing.alone, nothing_else=not pairing.pairs and not bundles)
    for bundle in bundles:
        warn_of_bundle(bundle)
        if len(bundle.manifest.models) > len(Tower):
            _LOG.info(
                f"note: of {bundle.folder}, the towers themselves are evaluated; give the artefacts of its "
                "variants to evaluate those"
            )
        image, text = bundle.manifest.image, bundle.manifest.text
        if (image.target, image.precision) != (text.target, text.precision):
            _LOG.info(
                f"note: {bundle.folder} has towers of two precisions, {image.target}-{image.precision} and "
                f"{text.target}-{text.precision}; tables and records name the image tower's"
            )
    other = None if baseline is None or baseline == OWN_PYTORCH else parse_baseline(baseline, settings)
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
            _LOG.info(f"note: {bundle.folder} has the towers of another --artifact; they are evaluated once")
            continue
        before = bundle_pytorch(bundle, weights, settings) if other is None else other
        if before is None:
            _LOG.info(
                f"note: {bundle.folder} does not say how {bundle.manifest.model.name} is built in PyTorch, so it "
                "has no baseline; give --baseline MODEL.json=CHECKPOINT for a drop"
            )
        entries.append(Entry(contestant, None if before is None else functools.partial(_same, before)))
    return entries, bundle_templates(bundles)


def _same(contestant: Contestant) -> Contestant:
    return contestant


def _tell_alone(alone: Sequence[Artifact], *, nothing_else: bool) -> None:
    """Says which artefacts are left out for want of their other tower; an error where nothing else is there."""
    if not alone:
        return
    first = alone[0]
    lacking = Tower.TEXT if first.manifest.tower is Tower.IMAGE else Tower.IMAGE
    count = f"{len(alone)} {'artefact has' if len(alone) == 1 else 'artefacts have'} no other tower"
    words = f"{count} (first: {first.label} at {first.folder}, which lacks its {lacking} tower)"
    if nothing_else:
        raise ArtifactNotFoundError(
            f"{words}, and there is no pair to evaluate", fix="export it with --tower both, or give --artifact twice"
        )
    _LOG.info(f"note: {words} and {'is' if len(alone) == 1 else 'are'} skipped")


def with_templates(
    found: ClassificationSet | RetrievalSet, dataset: str, templates: Templates
) -> ClassificationSet | RetrievalSet:
    """The set with a bundle's prompts, where it is the user's own and says nothing of prompts."""
    own = dataset.startswith(("folder:", "csv:", "webdataset:"))
    # A set of shards with templates beside it is named for that file.
    if not isinstance(found, ClassificationSet) or not own or found.templates.name != "openai":
        return found
    _LOG.info(f"note: using the bundle's own prompts ({templates.name}); use --templates for others")
    return replace(found, templates=templates)


def torch_device(name: str) -> str:
    """The name of a device on which PyTorch can run here.

    Raises:
        EvaluationError: it cannot.
    """
    import torch

    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise EvaluationError(f"PyTorch cannot run on --device {name!r}: {reason}", fix="take cpu") from error
    return name
