"""The measuring agent, the one file pushed to a device: it needs Python 3.9, numpy and a runtime."""
