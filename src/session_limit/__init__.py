"""How many sessions an account may have at once, ending them at once, and saying why."""

__version__ = "0.1.0"
