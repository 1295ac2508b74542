"""Drivers and other libraries that not every environment has."""

from __future__ import annotations

import os
from importlib import import_module

import pytest

# Begins the reason of each test that is skipped because of an absent service.
ABSENT = "without {}: "
REQUIRED = os.environ.get("SESSION_LIMIT_REQUIRE_SERVICES") == "1"


def library(name):
    """
    Import the module ``name`` and return it.

    Without it, skip the test or the test module that asks for it. Where services are
    required, raise ``ImportError`` instead.
    """
    if REQUIRED:
        return import_module(name)
    return pytest.importorskip(name, reason=ABSENT.format(name) + "not installed")
