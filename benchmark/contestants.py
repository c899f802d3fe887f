"""Who is judged by `eval`: a PyTorch model or an exported pair, behind one form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.accuracy_records import NOTHING_KNOWN, Side, WeightsFacts
from benchmark.errors import EvaluationError
from export.artifact import Artifact, find_artifacts, select_pair
from export.encoders import EncoderPair, open_pair
from export.errors import ArtifactNotFoundError
from export.manifest import CONFIG_NAME
from export.precision import Precision
from export.targets import load_target
from models.checkpoint import weights_sha256
from models.clip import AnyModel
from models.config import AnyConfig
from models.evaluation.encoders import (
    Embeddings,
    Encoder,
    EncoderIdentity,
    TorchEncoder,
    describe_inputs,
    require_finite,
)
from models.registry import FRESH_WEIGHTS, MODELS, ChosenModel, build_model, choose_model, resolve_config
from models.run_folder import is_run_folder

OWN_PYTORCH = "pytorch"
# Artefacts take one image at a time; so many are decoded ahead and written to the journal together.
_PAIR_BATCH = 32


@dataclass(frozen=True)
class Contestant:
    """A side, how its encoder is opened, and what is known of its weights."""

    side: Side
    open: Callable[[], AbstractContextManager[Encoder]]
    facts: WeightsFacts = NOTHING_KNOWN

    @property
    def label(self) -> str:
        """A name for messages, e.g. `pocketclip_nano onnx-fp32`."""
        side = self.side
        return f"{side.model} " + ("PyTorch" if side.target is None else f"{side.target}-{side.precision}")


@dataclass(frozen=True)
class TorchSettings:
    """How PyTorch runs."""

    batch_size: int = 64
    device: str = "cpu"


def torch_contestant(model: AnyModel, settings: TorchSettings, facts: WeightsFacts = NOTHING_KNOWN) -> Contestant:
    """A model of ours or of OpenCLIP's in PyTorch, fp32."""
    weights = weights_sha256(model)

    @contextmanager
    def opened() -> Iterator[Encoder]:
        yield TorchEncoder(model, weights, batch_size=settings.batch_size, device=settings.device)

    return Contestant(Side(model.config.name, None, Precision.FP32, None, None, weights), opened, facts)


def chosen_contestant(chosen: ChosenModel, settings: TorchSettings) -> Contestant:
    """A model that a user named, in PyTorch."""
    return torch_contestant(build_model(chosen.config, chosen.weights), settings, WeightsFacts(trained=chosen.trained))


def pair_contestant(image: Artifact, text: Artifact) -> Contestant:
    """An exported image and text tower used together."""
    manifest = image.manifest

    @contextmanager
    def opened() -> Iterator[Encoder]:
        with open_pair(image, text) as pair:
            yield _PairEncoder(pair, image, text)

    side = Side(
        model=manifest.model.name,
        target=manifest.target,
        precision=manifest.precision,
        image_sha256=manifest.sha256,
        text_sha256=text.manifest.sha256,
        weights_sha256=manifest.model.weights_sha256,
    )
    return Contestant(side, opened, WeightsFacts(trained=manifest.trained))


class _PairEncoder:
    """An exported pair, one image or sentence at a time, as a phone runs it."""

    def __init__(self, pair: EncoderPair, image: Artifact, text: Artifact) -> None:
        tokenizer = text.manifest.tokenizer
        # `open_pair` has refused manifests without one.
        assert tokenizer is not None
        self._pair = pair
        self._label = f"{image.manifest.model.name} {image.manifest.scheme}"
        self.preprocess = pair.preprocess
        self.batch_size = _PAIR_BATCH
        self.identity = EncoderIdentity(
            image_sha256=image.manifest.sha256,
            text_sha256=text.manifest.sha256,
            inputs=describe_inputs(pair.preprocess, tokenizer),
            executed_by=load_target(image.manifest.target).executed_by(),
        )

    def encode_images(self, images: NDArray[np.float32]) -> Embeddings:
        encoded = [self._pair.encode_image(images[place : place + 1]) for place in range(len(images))]
        return require_finite(np.concatenate(encoded), self._label)

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        return require_finite(np.concatenate([self._pair.encode_text(text) for text in texts]), self._label)


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


def own_pytorch(image: Artifact, weights: str | None, settings: TorchSettings) -> Contestant:
    """The PyTorch model that an artefact was exported from.

    Raises:
        ArtifactNotFoundError: the artefact was exported from weights other than those PyTorch would use.
    """
    identity, trained = image.manifest.model, image.manifest.trained
    given = FRESH_WEIGHTS if weights is None and trained is False else weights
    contestant = torch_contestant(build_model(_config(image), given), settings, WeightsFacts(trained=trained))
    if contestant.side.weights_sha256 != identity.weights_sha256:
        raise ArtifactNotFoundError(
            f"{image.folder} was exported from other weights than "
            f"{weights or 'those shipped with ' + identity.name}; name its checkpoint with --weights"
        )
    return contestant


def parse_baseline(reference: str, settings: TorchSettings) -> Contestant:
    """The baseline that a user names: `MODEL`, `MODEL=CHECKPOINT`, or a folder with one exported pair.

    Raises:
        EvaluationError: it is neither.
        ArtifactNotFoundError: the folder does not hold exactly one pair.
        UnknownModelError, ConfigError, CheckpointError: as `models.registry.create_model`.
    """
    name, _, weights = reference.partition("=")
    if _is_model(name):
        return chosen_contestant(choose_model(name, weights=weights or None), settings)
    if Path(reference).is_dir():
        return pair_contestant(*select_pair(find_artifacts([Path(reference)])))
    raise EvaluationError(
        f"--baseline {reference!r} is no model, no run and no folder of artefacts; give {OWN_PYTORCH} (the model that "
        f"the artefacts were made from), MODEL or MODEL=CHECKPOINT with one of {', '.join(MODELS)}, open_clip:NAME or "
        "a .json file, or a folder with one exported pair"
    )


def _is_model(name: str) -> bool:
    return name in MODELS or name.startswith("open_clip:") or name.endswith(".json") or is_run_folder(Path(name))


def _config(artifact: Artifact) -> AnyConfig:
    stored = artifact.folder / CONFIG_NAME
    return resolve_config(str(stored) if stored.is_file() else artifact.manifest.model.name)
