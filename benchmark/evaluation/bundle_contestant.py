"""A bundle as `eval` judges it: its own towers, preprocessing and tokenizer, as an application runs them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pocketclip.benchmark.evaluation.contestants import Contestant, TorchSettings, pytorch_of, side_label
from pocketclip.benchmark.evaluation.pair_encoders import open_bundle_encoder
from pocketclip.benchmark.records.accuracy import Side, WeightsFacts
from pocketclip.export.bundle.licences import is_untrained
from pocketclip.export.bundle.prompts import StoredTemplates
from pocketclip.export.bundle.reading import OpenedBundle
from pocketclip.models.evaluation.prompts import Templates
from pocketclip.models.registry import FRESH_WEIGHTS, MODELS, resolve_config


def bundle_contestant(bundle: OpenedBundle) -> Contestant:
    """Both towers of a bundle, with the identity of the artefacts that they were made from."""
    manifest = bundle.manifest
    side = Side(
        model=manifest.model.name,
        target=manifest.image.target,
        precision=manifest.image.precision,
        image_sha256=manifest.image.artifact_sha256,
        text_sha256=manifest.text.artifact_sha256,
        weights_sha256=manifest.model.weights_sha256,
    )
    return Contestant(side, partial(open_bundle_encoder, bundle, side_label(side)), _facts(bundle))


def bundle_pytorch(bundle: OpenedBundle, weights: str | None, settings: TorchSettings) -> Contestant | None:
    """The PyTorch model that a bundle's towers were made from; None where nothing says how that is built.

    Raises:
        ArtifactNotFoundError: the bundle was made from weights other than those PyTorch would use.
    """
    identity = bundle.manifest.model
    # An artefact keeps its configuration, a bundle keeps the name alone.
    if identity.name not in MODELS:
        return None
    facts = _facts(bundle)
    given = FRESH_WEIGHTS if weights is None and facts.trained is False else weights
    return pytorch_of(resolve_config(identity.name), identity, str(bundle.folder), given, settings, facts)


def _facts(bundle: OpenedBundle) -> WeightsFacts:
    """What a bundle tells of its weights: only of fresh random ones it says what they are."""
    return WeightsFacts(trained=False if is_untrained(bundle.manifest) else None)


def bundle_templates(bundles: Sequence[OpenedBundle]) -> Templates | None:
    """The prompts that all of the bundles have; None where there is no bundle, or they have different ones."""
    stored = {bundle.manifest.templates for bundle in bundles}
    return StoredTemplates(stored.pop()) if len(stored) == 1 else None
