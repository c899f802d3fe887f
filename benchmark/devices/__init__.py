"""The devices that can measure: what is known of them, which are attached, and who holds them."""

from __future__ import annotations

from pocketclip.benchmark.devices.device import Device
from pocketclip.benchmark.devices.host_device import HostDevice
from pocketclip.benchmark.devices.opening import open_device

__all__ = ["Device", "HostDevice", "open_device"]
