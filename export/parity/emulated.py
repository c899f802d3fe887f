"""How many samples a target is proven on whose inferences are emulated."""

from __future__ import annotations

from pocketclip.export.precision import QNN_TARGETS, Tower
from pocketclip.models.towers.clip import AnyModel

EMULATED = frozenset(QNN_TARGETS)
# An inference of the nano takes a tenth of a second to emulate, one of MobileCLIP-S0's image tower four seconds.
_OF_SMALL_TOWERS, _OF_LARGE_TOWERS = 134, 24
_SMALL_PARAMETERS = 5_000_000


def emulated_samples(model: AnyModel, tower: Tower) -> int:
    """The number for a tower, by its size alone: how fast this computer is must not change what is proven."""
    encoder = model.image_encoder if tower is Tower.IMAGE else model.text_encoder
    parameters = sum(parameter.numel() for parameter in encoder.parameters())
    return _OF_SMALL_TOWERS if parameters <= _SMALL_PARAMETERS else _OF_LARGE_TOWERS
