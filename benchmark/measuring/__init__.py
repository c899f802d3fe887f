"""Benches as a whole: what runs in which order, what precedes it, and when a device may cool down."""
