"""The project that the harness serves. ``settings.py`` lists what configures it."""
