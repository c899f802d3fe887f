"""Zero-shot accuracy of PyTorch models and of exported pairs, on the same held-out scenes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib import metadata

import numpy as np
import torch

from benchmark.records import AccuracyRecord, new_record_id, utc_now
from export.artifact import Artifact, select_pair
from export.encoders import open_pair
from export.errors import ArtifactNotFoundError
from export.manifest import CONFIG_NAME
from export.precision import Precision
from export.targets import load_target
from models.checkpoint import weights_sha256
from models.clip import AnyModel
from models.config import AnyConfig
from models.registry import build_model, resolve_config
from models.scenes import Split
from models.statistics import paired_drop_interval, wilson_interval
from models.tokenizer import load_tokenizer
from models.zero_shot import ZeroShotResult, classify_scenes

DATASET = "scenes"
SPLIT = Split.HELDOUT
DEFAULT_COUNT = 960

Advance = Callable[[], object]


def pair_artifacts(artifacts: Iterable[Artifact]) -> list[tuple[Artifact, Artifact]]:
    """Image and text artefacts of the same model, target and precision, in the order met.

    Raises:
        ArtifactNotFoundError: a tower is missing, or there are two of one kind.
    """
    groups: dict[tuple[str, str, str], list[Artifact]] = {}
    for artifact in artifacts:
        manifest = artifact.manifest
        key = (manifest.model.name, manifest.scheme, manifest.model.weights_sha256)
        groups.setdefault(key, []).append(artifact)
    return [select_pair(group) for group in groups.values()]


def evaluate_model(model: AnyModel, count: int, advance: Advance = lambda: None) -> ZeroShotResult:
    """PyTorch's zero-shot result on `count` held-out scenes, fp32, one image at a time."""
    tokenizer = load_tokenizer(model.config.tokenizer)

    def encode_image(image: np.ndarray) -> np.ndarray:
        return _normalized(model.encode_image(torch.from_numpy(image)))

    def encode_text(text: str) -> np.ndarray:
        return _normalized(model.encode_text(torch.from_numpy(tokenizer(text))))

    with torch.inference_mode():
        return classify_scenes(
            encode_image, encode_text, model.config.preprocess, count=count, split=SPLIT, advance=advance
        )


def evaluate_pair(image: Artifact, text: Artifact, count: int, advance: Advance = lambda: None) -> ZeroShotResult:
    """The zero-shot result of an exported pair on the same scenes as `evaluate_model`.

    Raises:
        NonFiniteError: a tower gives NaN or infinity.
        TargetUnavailableError, ArtifactCorruptError: as `export.targets.open_session`.
    """
    with open_pair(image, text) as pair:
        return classify_scenes(
            pair.encode_image, pair.encode_text, pair.preprocess, count=count, split=SPLIT, advance=advance
        )


def evaluate_artifacts(
    pairs: Iterable[tuple[Artifact, Artifact]], weights: str | None, count: int, advance: Advance
) -> Iterator[AccuracyRecord]:
    """PyTorch's record for each model among the pairs, then the record of each pair, as they are ready.

    Raises:
        ArtifactNotFoundError: an artefact was exported from weights other than those PyTorch would use.
    """
    baselines: dict[str, ZeroShotResult] = {}
    for image, text in pairs:
        identity = image.manifest.model
        baseline = baselines.get(identity.name)
        if baseline is None:
            model = build_model(_config(image), weights)
            if weights_sha256(model) != identity.weights_sha256:
                raise ArtifactNotFoundError(
                    f"{image.folder} was exported from other weights than "
                    f"{weights or 'those shipped with ' + identity.name}; name its checkpoint with --weights"
                )
            baseline = baselines[identity.name] = evaluate_model(model, count, advance)
            yield model_record(model, baseline)
        yield _pair_record(image, text, evaluate_pair(image, text, count, advance), baseline)


def _config(artifact: Artifact) -> AnyConfig:
    stored = artifact.folder / CONFIG_NAME
    return resolve_config(str(stored) if stored.is_file() else artifact.manifest.model.name)


def model_record(model: AnyModel, result: ZeroShotResult) -> AccuracyRecord:
    """The record of a PyTorch result."""
    return _record(
        result,
        model=model.config.name,
        weights=weights_sha256(model),
        executed_by=f"torch {metadata.version('torch')}",
    )


def _pair_record(image: Artifact, text: Artifact, result: ZeroShotResult, baseline: ZeroShotResult) -> AccuracyRecord:
    return _record(
        result,
        model=image.manifest.model.name,
        weights=image.manifest.model.weights_sha256,
        executed_by=load_target(image.manifest.target).executed_by(),
        pair=(image, text),
        baseline=baseline,
    )


def _record(
    result: ZeroShotResult,
    *,
    model: str,
    weights: str,
    executed_by: str,
    pair: tuple[Artifact, Artifact] | None = None,
    baseline: ZeroShotResult | None = None,
) -> AccuracyRecord:
    samples = len(result.labels)
    interval = wilson_interval(result.correct, samples)
    image, text = pair or (None, None)
    drop = None if baseline is None else paired_drop_interval(baseline.right, result.right)
    return AccuracyRecord(
        model=model,
        target=None if image is None else image.manifest.target,
        precision=Precision.FP32 if image is None else image.manifest.precision,
        image_sha256=None if image is None else image.manifest.sha256,
        text_sha256=None if text is None else text.manifest.sha256,
        weights_sha256=weights,
        dataset=DATASET,
        split=SPLIT,
        samples=samples,
        classes=result.classes,
        correct=result.correct,
        accuracy=result.correct / samples,
        accuracy_low=interval.low,
        accuracy_high=interval.high,
        chance=1 / result.classes,
        baseline_correct=None if baseline is None else baseline.correct,
        drop_points=None if baseline is None else 100 * (baseline.correct - result.correct) / samples,
        drop_low_points=None if drop is None else 100 * drop.low,
        drop_high_points=None if drop is None else 100 * drop.high,
        executed_by=executed_by,
        tool_version=metadata.version("pocketclip"),
        record_id=new_record_id(),
        created_at=utc_now(),
    )


def _normalized(embedding: torch.Tensor) -> np.ndarray:
    return torch.nn.functional.normalize(embedding, dim=-1).numpy()
