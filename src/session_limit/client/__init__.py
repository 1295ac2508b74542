"""Find out who sends a request: the device, its address, and whether it is known."""

from __future__ import annotations

from session_limit.client.device import (
    Client,
    Device,
    DeviceClass,
    describe,
    describe_device,
)

__all__ = ["Client", "Device", "DeviceClass", "describe", "describe_device"]
