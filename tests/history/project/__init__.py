"""The project that the checker serves. ``settings.py`` explains its configuration."""
