"""The settings of a training run, stored beside its results."""

from __future__ import annotations

import math
from enum import StrEnum

from pocketclip.models.documents import document
from pocketclip.models.errors import ConfigError, choices
from pocketclip.models.quantization.schemes import QatScheme
from pocketclip.models.untrusted.names import PLAIN_NAME, PlainName
from pocketclip.models.untrusted.numbers import MAX_SEED


class Recipe(StrEnum):
    """What the towers learn from; `models.training.recipes` holds the losses."""

    CONTRASTIVE = "contrastive"
    SIGMOID = "sigmoid"
    REINFORCED = "reinforced"
    DISTILLATION = "distillation"
    AFFINITY = "affinity"

    @property
    def needs_stored_embeddings(self) -> bool:
        """Whether the data must be reinforced shards."""
        return self is Recipe.REINFORCED

    @property
    def needs_teachers(self) -> bool:
        """Whether teacher models run beside the student."""
        return self in (Recipe.DISTILLATION, Recipe.AFFINITY)


# The share of the distillation term where the user gives none. MobileCLIP's published runs and TinyCLIP's use no
# contrastive term at all.
DEFAULT_DISTILLATION_WEIGHTS = {Recipe.REINFORCED: 1.0, Recipe.DISTILLATION: 0.5, Recipe.AFFINITY: 1.0}


# Beyond this the other terms of a loss would be noise.
MOST_TOKEN_WEIGHT = 100.0

# At a width of 512, their embeddings take half a gigabyte.
MOST_MEMORY = 1 << 17

# The warm-up is at most one step of so many.
MOST_WARMUP_SHARE = 10


class Autocast(StrEnum):
    """The precision of matrix products in training; weights and losses stay in float32."""

    OFF = "off"
    BF16 = "bf16"
    FP16 = "fp16"


_WORDS: dict[str, type[StrEnum]] = {"recipe": Recipe, "autocast": Autocast, "qat": QatScheme}
_SEVERAL = ("changes", "teachers", "teacher_dims", "crop_scale")

_POSITIVE = (
    "steps",
    "batch_size",
    "accumulation",
    "learning_rate",
    "gradient_clip",
    "captions_per_scene",
    "validation_samples",
    "checkpoint_every",
    "keep_checkpoints",
)


@document
class TrainingConfig:
    """A run: AdamW, linear warm-up over `warmup_steps`, at most a tenth of `steps`; cosine decay to zero.

    `changes` modify the model's configuration, `name` is the trained model's own. `init_from` and `teachers` name
    models as `MODEL` or `MODEL=CHECKPOINT`. `qat` is what numbers are rounded for in training, from the weights of
    `init_from` on: a model of the same design. `data` is a mixture of `models.data.mixture`, `validation` a source of
    `models.data.source`. `batch_size` is that of one step, over all processes and all of the `accumulation` parts in
    which each process computes its share. `distillation_weight` None takes the recipe's own; `token_weight` is that
    of predicting a caption's tokens from its image, `memory` the number of earlier samples that are further negatives.
    `teacher_dims` are the widths of the stored embeddings of each teacher; None reads them beside the shards.
    """

    model: str
    steps: int
    recipe: Recipe = Recipe.CONTRASTIVE
    data: str = "scenes:48000"
    changes: tuple[str, ...] = ()
    init_from: str | None = None
    qat: QatScheme | None = None
    teachers: tuple[str, ...] = ()
    teacher_dims: tuple[int, ...] | None = None
    distillation_weight: float | None = None
    token_weight: float = 0.0
    memory: int = 0
    batch_size: int = 128
    accumulation: int = 1
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    warmup_steps: int = 100
    gradient_clip: float = 1.0
    autocast: Autocast = Autocast.OFF
    activation_checkpointing: bool = False
    ema_decay: float | None = None
    crop_scale: tuple[float, float] = (0.9, 1.0)
    rand_augment: bool = False
    captions_per_scene: int = 4
    max_skipped_share: float = 0.05
    validation: str | None = None
    validation_samples: int = 240
    checkpoint_every: int = 200
    keep_checkpoints: int = 2
    seed: int = 0
    name: PlainName | None = None

    def __post_init__(self) -> None:
        self._take_plain_values()
        for name, value in vars(self).items():
            if isinstance(value, float) and not math.isfinite(value):
                raise ConfigError(f"{name} must be a finite number, got {value}")
        if not 0 <= self.seed <= MAX_SEED:
            raise ConfigError(f"seed must lie in 0 to {MAX_SEED}, got {self.seed}")
        for name in _POSITIVE:
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} must be positive, got {getattr(self, name)}")
        if not 0 <= self.warmup_steps <= self.steps:
            raise ConfigError(f"warmup_steps must lie in 0 to steps ({self.steps}), got {self.warmup_steps}")
        if self.name is not None and (fault := PLAIN_NAME.fault(self.name)):
            raise ConfigError(f"the model's name {fault}")
        if self.weight_decay < 0:
            raise ConfigError(f"weight_decay must be 0 or more, got {self.weight_decay}")
        if not 0 <= self.max_skipped_share <= 1:
            raise ConfigError(f"max_skipped_share must lie between 0 and 1, got {self.max_skipped_share}")
        if not 0 <= self.token_weight <= MOST_TOKEN_WEIGHT:
            raise ConfigError(f"token_weight must lie in 0 to {MOST_TOKEN_WEIGHT:g}, got {self.token_weight}")
        if not 0 <= self.memory <= MOST_MEMORY:
            raise ConfigError(f"memory must lie in 0 to {MOST_MEMORY} samples, got {self.memory}")
        if self.memory and (self.recipe is Recipe.SIGMOID or self.distillation_share == 1):
            raise ConfigError(
                f"memory gives negatives to a contrastive term, which recipe {self.recipe} does not have here",
                fix="leave --memory out, or lower --distillation-weight",
            )
        if self.ema_decay is not None and not 0 < self.ema_decay < 1:
            raise ConfigError(f"ema_decay must lie between 0 and 1, got {self.ema_decay}")
        if len(self.crop_scale) != 2 or not 0 < self.crop_scale[0] <= self.crop_scale[1] <= 1:
            raise ConfigError(f"crop_scale must be two shares of the image's area, rising, got {self.crop_scale}")
        if self.qat is not None and self.init_from is None:
            raise ConfigError(
                "quantisation-aware training starts from a trained model", fix="name it with --init-from MODEL"
            )
        self._check_recipe()

    def _take_plain_values(self) -> None:
        """Words and lists, as a program of the user's gives them, become members and tuples, as a file gives them."""
        taken = {name: _member(kind, name, getattr(self, name)) for name, kind in _WORDS.items()}
        taken |= {name: _tuple(name, getattr(self, name)) for name in _SEVERAL}
        for name, value in taken.items():
            object.__setattr__(self, name, value)

    def _check_recipe(self) -> None:
        if self.recipe.needs_teachers and not self.teachers:
            raise ConfigError(
                f"recipe {self.recipe} needs a teacher model", fix="give one with --teacher MODEL=CHECKPOINT"
            )
        if self.recipe is Recipe.AFFINITY and len(self.teachers) > 1:
            raise ConfigError(f"recipe affinity takes one teacher, got {len(self.teachers)}", fix="use distillation")
        if not self.recipe.needs_teachers and self.teachers:
            raise ConfigError(
                f"recipe {self.recipe} does not run a teacher",
                fix=(
                    "choose distillation or affinity, or store the teachers' "
                    "embeddings with `pocketclip reinforce` and train with recipe reinforced"
                ),
            )
        if self.distillation_weight is not None:
            if self.recipe not in DEFAULT_DISTILLATION_WEIGHTS:
                raise ConfigError(f"recipe {self.recipe} has no distillation term to weight")
            if not 0 <= self.distillation_weight <= 1:
                raise ConfigError(f"distillation_weight must lie in 0 to 1, got {self.distillation_weight}")

    @property
    def warmup(self) -> int:
        """Steps of warm-up: a run that is shorter than its warm-up would end at its peak learning rate."""
        return min(self.warmup_steps, self.steps // MOST_WARMUP_SHARE)

    @property
    def distillation_share(self) -> float:
        """The weight of the distillation term, 0 for recipes without one."""
        if self.distillation_weight is not None:
            return self.distillation_weight
        return DEFAULT_DISTILLATION_WEIGHTS.get(self.recipe, 0.0)


def _member(kind: type[StrEnum], name: str, value: object) -> StrEnum | None:
    if value is None and name == "qat":
        return None
    try:
        return kind(value)
    except ValueError:
        raise ConfigError(f"{name} {value!r} is unknown", fix=f"choose among: {choices(kind)}") from None


def _tuple(name: str, value: object) -> tuple[object, ...] | None:
    if value is None and name == "teacher_dims":
        return None
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{name} must be a list or tuple, got {value!r}")
    return tuple(value)
