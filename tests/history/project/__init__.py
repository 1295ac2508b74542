"""The project that the checker serves. ``settings.py`` says what configures it."""
