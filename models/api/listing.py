"""The public function that lists models: `pocketclip.list_models`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pocketclip.models.api.loading import change_words
from pocketclip.models.registry import MODELS, resolve_config, shipped_weights

if TYPE_CHECKING:
    from pocketclip.models.complexity import ModelComplexity


@dataclass(frozen=True)
class ListedModel:
    """A model's sizes per tower, with branches folded, and whether its trained weights come with PocketCLIP."""

    name: str
    complexity: ModelComplexity
    weights_shipped: bool


def list_models(
    *names: str, changes: Mapping[str, object] | Sequence[str] = (), with_unchanged: bool = False
) -> list[ListedModel]:
    """Models with the parameters, FLOPs, activation memory and input size of each tower. No weights are allocated.

    Args:
        names: registered models or configuration files; none means all registered models.
        changes: modifications by dotted path, as for `load_model`.
        with_unchanged: put the unchanged model before a single changed one, to compare the two.

    Raises:
        UnknownModelError, ConfigError: a model or a change does not exist.
    """
    from pocketclip.models.complexity import measure

    pairs = change_words(changes)
    configs = [resolve_config(name, pairs) for name in names or MODELS]
    if with_unchanged and pairs and len(names) == 1:
        configs.insert(0, resolve_config(names[0]))
    return [
        ListedModel(config.name, measure(config), weights_shipped=shipped_weights(config) is not None)
        for config in configs
    ]
