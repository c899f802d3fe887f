"""The settings of a training run, stored beside its results."""

from __future__ import annotations

from models.documents import document
from models.errors import ConfigError


@document
class TrainingConfig:
    """A contrastive run on generated scenes (AdamW, linear warm-up, cosine decay to zero).

    `changes` modify the model's configuration; `init_from` is a model whose weights the run starts from, as
    `MODEL` or `MODEL=CHECKPOINT`.
    """

    model: str
    steps: int
    changes: tuple[str, ...] = ()
    init_from: str | None = None
    batch_size: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    warmup_steps: int = 100
    gradient_clip: float = 1.0
    label_smoothing: float = 0.0
    scenes: int = 48_000
    captions_per_scene: int = 4
    checkpoint_every: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        for name in (
            "steps",
            "batch_size",
            "learning_rate",
            "scenes",
            "captions_per_scene",
            "checkpoint_every",
        ):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} must be positive, got {getattr(self, name)}")
        if self.batch_size > self.scenes:
            raise ConfigError(f"batch_size {self.batch_size} exceeds the {self.scenes} scenes to draw from")
        if not 0 <= self.warmup_steps <= self.steps:
            raise ConfigError(f"warmup_steps must lie in 0 to steps ({self.steps}), got {self.warmup_steps}")
