"""Measuring with the app on Android and iOS: the files it exchanges with PocketCLIP, and how it is controlled."""
