"""Untrusted input from files, devices and networks: validated before it is used or shown."""
