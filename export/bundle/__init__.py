"""Bundles: one folder for an app with both towers, everything else that they need, and data to check itself."""
