"""Encoders changed by configuration: dotted paths into a base configuration, and the values to put there.

`--set image.stages.3.mixer=repmixer` and a JSON file that names its base and its changes mean the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pocketclip.models import documents
from pocketclip.models.config import AnyConfig
from pocketclip.models.documents import document
from pocketclip.models.errors import ConfigError, choices
from pocketclip.models.untrusted.numbers import parse_digits


@document
class ModifiedConfig:
    """A configuration file that changes another: `changes` maps dotted paths to values in the registered `base`."""

    name: str
    description: str
    base: str
    changes: dict[str, Any]


def parse_changes(assignments: Sequence[str]) -> dict[str, Any]:
    """`path=value` texts as a mapping; values are JSON, or plain words.

    Raises:
        ConfigError: a text has no `=`, or a path comes twice.
    """
    changes: dict[str, Any] = {}
    for text in assignments:
        path, equals, value = text.partition("=")
        path = path.strip()
        if not equals or not path:
            raise ConfigError(
                f"{text!r} is not a change", fix="write PATH=VALUE, for example image.stages.3.mixer=repmixer"
            )
        if path in changes:
            raise ConfigError(f"{path} is set twice", fix="keep one of them")
        changes[path] = _value(value.strip())
    return changes


def modify(config: AnyConfig, changes: Mapping[str, Any], *, name: str = "", description: str = "") -> AnyConfig:
    """The configuration with its values at the paths of `changes` replaced.

    Args:
        config: the base, left alone.
        changes: dotted path (list places as numbers from 0) to a JSON value.
        name: the result's name; by default the base's with a short hash of the result, the same for the same result.
        description: by default the base's name and the changes.

    Raises:
        ConfigError: a path does not exist (the message lists what does), or the result is no valid configuration.
    """
    content = documents.to_builtin(config)
    for path, value in changes.items():
        _place(content, path, value)
    worded = ", ".join(f"{path}={_worded(value)}" for path, value in changes.items())
    content["name"] = name or config.name
    source = f"{config.name} with {worded}"
    content["description"] = description or source
    changed = documents.parse(type(config), json.dumps(content), source=source, error=ConfigError)
    if name or not changes:
        return changed
    # Neither the order of the changes nor how they are worded makes another model.
    content["name"] = f"{config.name}-{replace(changed, description='').sha256[:8]}"
    return documents.parse(type(config), json.dumps(content), source=content["name"], error=ConfigError)


def _place(content: Any, path: str, value: Any) -> None:
    *parents, last = path.split(".")
    walked: list[str] = []
    place = content
    for part in parents:
        place = place[_key(place, part, walked)]
        walked.append(part)
    place[_key(place, last, walked)] = value


def _key(place: Any, part: str, walked: Sequence[str]) -> str | int:
    where = ".".join(walked) or "the configuration"
    if isinstance(place, dict):
        if part not in place:
            raise ConfigError(f"{where} has no {part!r}; it has: {choices(place)}")
        return part
    if isinstance(place, list):
        index = parse_digits(part)
        if index is None or index >= len(place):
            raise ConfigError(f"{where} has the indices 0 to {len(place) - 1}, not {part!r}")
        return index
    raise ConfigError(f"{where} is {place!r}, a single value", fix=f"set it without {part!r}")


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _worded(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
