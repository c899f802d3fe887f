"""What a checkpoint file of OpenCLIP's does not say, where its pretrained tags of one architecture disagree.

The tags are read from OpenCLIP's own table: the same architecture was trained with GELU and with QuickGELU, and on
pixels that were scaled and resized in different ways.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pocketclip.models.open_clip_config import PREFIX, PREPROCESS_KEYS, OpenClipConfig

_MOST_TAGS = 3


def unstated_choices(reference: str, config: OpenClipConfig, changes: Sequence[str]) -> tuple[str, ...]:
    """One caution for each choice that was taken without knowing the weights, with how to take the other one.

    Args:
        reference: the model as `open_clip:NAME`.
        config: what became of it.
        changes: of the user's: what is set there is chosen.
    """
    from open_clip.pretrained import get_pretrained_cfg, list_pretrained_tags_by_model

    name = reference.removeprefix(PREFIX)
    entries = {tag: get_pretrained_cfg(name, tag) for tag in list_pretrained_tags_by_model(name)}
    found: list[str] = []
    if not any(change.startswith("architecture.") for change in changes):
        found += _activation(name, config, entries)
    if not any(change.startswith("preprocess.") for change in changes):
        found += _preprocessing(name, config, entries)
    return tuple(found)


def _activation(name: str, config: OpenClipConfig, entries: Mapping[str, Mapping[str, Any]]) -> list[str]:
    import open_clip

    taken = bool(config.architecture.get("quick_gelu"))
    others = [tag for tag, entry in entries.items() if bool(entry.get("quick_gelu")) != taken]
    if not others:
        return []
    words = {True: "QuickGELU", False: "GELU"}
    twin = name.removesuffix("-quickgelu") if taken else f"{name}-quickgelu"
    by_name = f"{PREFIX}{twin}, or " if twin in open_clip.list_models() else ""
    return [
        f"the checkpoint does not say its activation: {words[taken]} is taken; weights like those of {_listed(others)} "
        f"need {words[not taken]}: name {by_name}the tag itself, --weights {others[0]}"
    ]


def _preprocessing(name: str, config: OpenClipConfig, entries: Mapping[str, Mapping[str, Any]]) -> list[str]:
    taken = {
        "mean": config.preprocess.mean,
        "std": config.preprocess.std,
        "interpolation": str(config.preprocess.interpolation),
        "resize_mode": str(config.preprocess.resize_mode),
    }
    others: dict[str, list[str]] = {}
    for tag, entry in entries.items():
        for key in PREPROCESS_KEYS:
            if key in entry and _plain(entry[key]) != _plain(taken[key]):
                others.setdefault(key, []).append(tag)
    if not others:
        return []
    tags = list(dict.fromkeys(tag for listed in others.values() for tag in listed))
    kept = "; ".join(f"{key} {_worded(taken[key])}" for key in others)
    needed = "; ".join(f"{key} {_worded(entries[listed[0]][key])}" for key, listed in others.items())
    return [
        f"the checkpoint does not say its preprocessing: {kept} is taken; weights like those of {_listed(tags)} need "
        f"{needed}: give the tag itself, --weights {tags[0]}, or --set preprocess.{next(iter(others))}=..."
    ]


def _plain(value: Any) -> object:
    return value if isinstance(value, str) else tuple(round(float(channel), 6) for channel in value)


def _worded(value: Any) -> str:
    return value if isinstance(value, str) else ", ".join(f"{float(channel):.4g}" for channel in value)


def _listed(tags: Sequence[str]) -> str:
    return ", ".join(tags[:_MOST_TAGS]) + (", ..." if len(tags) > _MOST_TAGS else "")
