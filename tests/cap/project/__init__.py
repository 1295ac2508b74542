"""The project that the harness serves. ``settings.py`` says what configures it."""
