"""`pocketclip.list_models`: sizes of registered, changed and unknown models."""

from __future__ import annotations

import pytest

import pocketclip
from pocketclip.models.errors import ConfigError, UnknownModelError
from pocketclip.models.registry import MODELS


def test_all_registered_models() -> None:
    listed = pocketclip.list_models()
    assert [model.name for model in listed] == list(MODELS)
    assert {model.name for model in listed if model.weights_shipped} >= {"pocketclip_nano"}
    assert all(model.complexity.image.flops > 0 < model.complexity.text.parameters for model in listed)


def test_a_change_beside_the_unchanged_model() -> None:
    changes = {"image.stages.3.mixer": "repmixer"}
    unchanged, changed = pocketclip.list_models("pocketclip_nano", changes=changes, with_unchanged=True)
    assert (unchanged.weights_shipped, changed.weights_shipped) == (True, False)
    assert changed.complexity.image.parameters < unchanged.complexity.image.parameters
    assert changed.complexity.text == unchanged.complexity.text
    (alone,) = pocketclip.list_models("pocketclip_nano", changes=changes)
    assert alone.complexity.image == changed.complexity.image


def test_what_does_not_exist() -> None:
    with pytest.raises(UnknownModelError):
        pocketclip.list_models("mobileclip_s9")
    with pytest.raises(ConfigError):
        pocketclip.list_models("pocketclip_nano", changes={"image.wings": 2})
