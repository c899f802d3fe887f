"""The devices that can measure: what is known of them, which are attached, and who holds them."""

from __future__ import annotations

from benchmark.devices.device import Device
from benchmark.devices.host_device import HostDevice
from benchmark.devices.opening import open_device

__all__ = ["Device", "HostDevice", "open_device"]
