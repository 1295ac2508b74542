"""Find out which device sends a request, its address, and whether it is known."""

from __future__ import annotations

from session_limit.client.device import (
    Client,
    Device,
    describe,
    describe_device,
)
from session_limit.client.user_agents import DeviceClass

__all__ = ["Client", "Device", "DeviceClass", "describe", "describe_device"]
