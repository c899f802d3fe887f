"""Records outside the store: as a table, as JSON and CSV files, and back."""
