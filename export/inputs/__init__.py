"""Inputs for calibration and for the parity check."""
