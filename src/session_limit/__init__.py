"""Concurrent session control: how many, ending them at once, and saying why."""

__version__ = "0.1.0"
