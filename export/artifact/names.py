"""Names of files in folders that we write."""

from __future__ import annotations

BUNDLE_NAME = "bundle.json"
