"""The measuring agent: the one file that is pushed to a device. It runs on Python 3.9 with numpy and a runtime."""
