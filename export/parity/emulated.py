"""How many samples a target is proven on whose inferences are emulated, or run by a reference executor that is slow."""

from __future__ import annotations

from pocketclip.export.precision import QNN_TARGETS, TargetName, Tower
from pocketclip.models.towers.clip import AnyModel

# Of small and of large towers. Qualcomm's emulator takes a tenth of a second for an inference of the nano, four seconds
# for one of MobileCLIP-S0's image tower; Core AI's runtime for Linux up to half a second, and up to a minute.
_SAMPLES: dict[TargetName, tuple[int, int]] = {
    **dict.fromkeys(QNN_TARGETS, (134, 24)),
    TargetName.COREAI: (40, 8),
}
EMULATED = frozenset(_SAMPLES)
_SMALL_PARAMETERS = 5_000_000


def emulated_samples(target: TargetName, model: AnyModel, tower: Tower) -> int:
    """The number for a tower, by its size alone: how fast this computer is must not change what is proven."""
    encoder = model.image_encoder if tower is Tower.IMAGE else model.text_encoder
    parameters = sum(parameter.numel() for parameter in encoder.parameters())
    small, large = _SAMPLES[target]
    return small if parameters <= _SMALL_PARAMETERS else large
