"""The report: one self-contained HTML page made from a store's latest records."""
