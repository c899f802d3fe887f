"""Towers as an export for Arm gives them to a target, and plans for them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from pocketclip.export.mixed.units import units
from pocketclip.export.passes.pipeline import Passed, apply_passes
from pocketclip.export.passes.registry import passes_for
from pocketclip.export.passes.tower_module import example_input, tower_module
from pocketclip.export.precision import InstructionSet, Precision, TargetName, Tower
from pocketclip.models.registry import build_model, choose_model
from pocketclip.models.towers.clip import AnyModel

_SHARES = (0.1, 0.3, 0.6)


@dataclass(frozen=True)
class Subject:
    """A tower of a model after the passes of a target at a precision, with the paths of its units."""

    model: AnyModel
    tower: Tower
    target: TargetName
    precision: Precision
    passed: Passed
    units: tuple[str, ...]


def make_subject(name: str, tower: Tower, target: TargetName, precision: Precision) -> Subject:
    """Builds the tower, with fresh weights where none come with the model: its costs are the same."""
    choice = choose_model(name)
    model = build_model(choice.config, choice.weights)
    module = tower_module(model, tower)
    names = units(module)
    preprocess = model.config.preprocess if tower is Tower.IMAGE else None
    chosen = passes_for(target, InstructionSet.ARM64, tower, precision, preprocess=preprocess)
    proof = [example_input(model, tower).clone(memory_format=torch.contiguous_format)]
    return Subject(model, tower, target, precision, apply_passes(module, chosen, proof), names)


def random_plans(names: Sequence[str], count: int, seed: int) -> Iterator[tuple[str, ...]]:
    """So many choices of units: single ones and runs of neighbours in turn, at several shares."""
    chance = random.Random(seed)
    for place in range(count):
        share = _SHARES[place % len(_SHARES)]
        if place % 2 == 0:
            yield tuple(name for name in names if chance.random() < share)
            continue
        length = max(1, round(share * len(names)))
        start = chance.randrange(len(names) - length + 1)
        yield tuple(names[start : start + length])
