"""Records outside the store: tables, and JSON and CSV files in both directions."""
