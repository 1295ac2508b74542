"""Describe the device and IP address of a client, and recognize known browsers."""

from __future__ import annotations

from session_limit.client.device import (
    Client,
    Device,
    describe,
    describe_device,
)
from session_limit.client.user_agents import DeviceClass

__all__ = ["Client", "Device", "DeviceClass", "describe", "describe_device"]
