"""Checks Android packages and native libraries before a store or a phone refuses them."""
