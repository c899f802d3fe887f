"""The report: one self-contained HTML page from a store's latest records."""
