"""Quantisation-aware training: towers that compute with rounded weights and activations, and learn to."""
