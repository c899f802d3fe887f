"""Devices that measure: the device table, which devices are attached, and who is using them."""

from __future__ import annotations

from pocketclip.benchmark.devices.device import Device
from pocketclip.benchmark.devices.host_device import HostDevice
from pocketclip.benchmark.devices.opening import open_device

__all__ = ["Device", "HostDevice", "open_device"]
