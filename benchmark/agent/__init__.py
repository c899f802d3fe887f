"""The measuring agent, the single file that is pushed to a device. It needs Python 3.9, numpy and a runtime."""
