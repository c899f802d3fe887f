"""Who is judged by `eval`: a PyTorch model or an exported pair, behind one form."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pocketclip.benchmark.errors import EvaluationError
from pocketclip.benchmark.evaluation.foreign_towers import TowerProcesses
from pocketclip.benchmark.evaluation.pair_encoders import open_pair_encoder
from pocketclip.benchmark.records.accuracy import NOTHING_KNOWN, Side, WeightsFacts
from pocketclip.export.artifact.manifest import CONFIG_NAME, ModelIdentity
from pocketclip.export.artifact.reading import Artifact, find_artifacts, select_pair
from pocketclip.export.errors import ArtifactNotFoundError
from pocketclip.export.precision import Precision
from pocketclip.models.checkpoints.checkpoint import weights_sha256
from pocketclip.models.config import AnyConfig
from pocketclip.models.evaluation.encoders import Encoder, TorchEncoder
from pocketclip.models.registry import (
    FRESH_WEIGHTS,
    MODELS,
    ChosenModel,
    build_model,
    choose_model,
    resolve_config,
    split_reference,
)
from pocketclip.models.run_folder import is_run_folder
from pocketclip.models.towers.clip import AnyModel

OWN_PYTORCH = "pytorch"


@dataclass(frozen=True)
class Contestant:
    """A side, how its encoder is opened, and what is known of its weights.

    An exported one runs in the processes that `open` is given, until these open another.
    """

    side: Side
    open: Callable[[TowerProcesses], Encoder]
    facts: WeightsFacts = NOTHING_KNOWN

    @property
    def label(self) -> str:
        """A name for messages, e.g. `pocketclip_nano onnx-fp32`."""
        return side_label(self.side)


@dataclass(frozen=True)
class TorchSettings:
    """How PyTorch runs."""

    batch_size: int = 64
    device: str = "cpu"


def torch_contestant(model: AnyModel, settings: TorchSettings, facts: WeightsFacts = NOTHING_KNOWN) -> Contestant:
    """A model of ours or of OpenCLIP's in PyTorch, fp32."""
    weights = weights_sha256(model)

    def opened(processes: TowerProcesses) -> Encoder:
        del processes  # An own model runs in this one.
        return TorchEncoder(model, weights, batch_size=settings.batch_size, device=settings.device)

    return Contestant(Side(model.config.name, None, Precision.FP32, None, None, weights), opened, facts)


def chosen_contestant(chosen: ChosenModel, settings: TorchSettings) -> Contestant:
    """A model that a user named, in PyTorch."""
    return torch_contestant(
        build_model(chosen.config, chosen.weights), settings, WeightsFacts(chosen.trained, chosen.cautions)
    )


def side_label(side: Side) -> str:
    """As `Contestant.label`."""
    return f"{side.model} " + ("PyTorch" if side.target is None else f"{side.target}-{side.precision}")


def pair_contestant(image: Artifact, text: Artifact) -> Contestant:
    """An exported image and text tower used together."""
    manifest = image.manifest
    side = Side(
        model=manifest.model.name,
        target=manifest.target,
        precision=manifest.precision,
        image_sha256=manifest.sha256,
        text_sha256=text.manifest.sha256,
        weights_sha256=manifest.model.weights_sha256,
    )
    return Contestant(
        side,
        partial(open_pair_encoder, image, text, side_label(side)),
        WeightsFacts(manifest.trained, manifest.cautions),
    )


@dataclass(frozen=True)
class Pairing:
    """Image and text artefacts that belong together, and those whose other tower is not among them."""

    pairs: tuple[tuple[Artifact, Artifact], ...]
    alone: tuple[Artifact, ...]


def pair_artifacts(artifacts: Iterable[Artifact]) -> Pairing:
    """Image and text artefacts of the same model, target and precision, in the order met.

    Raises:
        ArtifactNotFoundError: there are two of one kind.
    """
    groups: dict[tuple[str, str, str], list[Artifact]] = {}
    for artifact in artifacts:
        manifest = artifact.manifest
        key = (manifest.model.name, manifest.scheme, manifest.model.weights_sha256)
        groups.setdefault(key, []).append(artifact)
    # Of one model and scheme two image towers would leave the choice open; one tower alone leaves nothing to judge.
    whole = [group for group in groups.values() if len(group) > 1]
    alone = [group[0] for group in groups.values() if len(group) == 1]
    return Pairing(tuple(select_pair(group) for group in whole), tuple(alone))


def own_pytorch(image: Artifact, weights: str | None, settings: TorchSettings) -> Contestant:
    """The PyTorch model that an artefact was exported from.

    Raises:
        ArtifactNotFoundError: the artefact was exported from weights other than those PyTorch would use.
    """
    trained = image.manifest.trained
    given = FRESH_WEIGHTS if weights is None and trained is False else weights
    return pytorch_of(
        _config(image),
        image.manifest.model,
        str(image.folder),
        given,
        settings,
        WeightsFacts(trained, image.manifest.cautions),
    )


def pytorch_of(
    config: AnyConfig,
    identity: ModelIdentity,
    made: str,
    weights: str | None,
    settings: TorchSettings,
    facts: WeightsFacts = NOTHING_KNOWN,
) -> Contestant:
    """A model in PyTorch whose weights are those that something (`made`) was exported from.

    Raises:
        ArtifactNotFoundError: they are others.
    """
    contestant = torch_contestant(build_model(config, weights), settings, facts)
    if contestant.side.weights_sha256 != identity.weights_sha256:
        raise ArtifactNotFoundError(
            (f"{made} was exported from other weights than {weights or 'those shipped with ' + identity.name}"),
            fix="name its checkpoint with --weights",
        )
    return contestant


def parse_baseline(reference: str, settings: TorchSettings) -> Contestant:
    """The baseline that a user names: `MODEL`, `MODEL=CHECKPOINT`, or a folder with one exported pair.

    Raises:
        EvaluationError: it is neither.
        ArtifactNotFoundError: the folder does not hold exactly one pair.
        UnknownModelError, ConfigError, CheckpointError: as `models.registry.create_model`.
    """
    name, weights = split_reference(reference)
    if _is_model(name):
        return chosen_contestant(choose_model(name, weights=weights or None), settings)
    if Path(reference).is_dir():
        return pair_contestant(*select_pair(find_artifacts([Path(reference)])))
    raise EvaluationError(
        f"--baseline {reference!r} is not a model, a run's folder or a folder of artefacts",
        fix=(
            f"give {OWN_PYTORCH} (the exported model), MODEL or MODEL=CHECKPOINT with one of "
            f"{', '.join(MODELS)}, open_clip:NAME or "
            "a .json file, or a folder with one exported pair"
        ),
    )


def _is_model(name: str) -> bool:
    return name in MODELS or name.startswith("open_clip:") or name.endswith(".json") or is_run_folder(Path(name))


def _config(artifact: Artifact) -> AnyConfig:
    stored = artifact.folder / CONFIG_NAME
    return resolve_config(str(stored) if stored.is_file() else artifact.manifest.model.name)
