"""Tune: searches a space of modified encoders, precisions and targets for the best trade-off, trial by trial."""
