"""The learning rate over a run."""

from __future__ import annotations

import pytest

from pocketclip.models.training.config import TrainingConfig
from pocketclip.models.training.optimization import learning_rate


@pytest.mark.parametrize(("steps", "warmup"), [(60, 6), (5, 0), (1500, 100), (1, 0)])
def test_short_runs_end_near_zero_too(steps: int, warmup: int) -> None:
    config = TrainingConfig("pocketclip_nano", steps=steps, learning_rate=1.0, warmup_steps=min(100, steps))
    rates = [learning_rate(config, step) for step in range(steps)]
    assert rates.index(max(rates)) == max(0, warmup - 1)
    assert max(rates) == 1.0
    if steps >= 60:
        assert rates[-1] < 0.01
