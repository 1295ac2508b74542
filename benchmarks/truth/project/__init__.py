"""What the servers serve, whoever the contender is. ``settings.py`` configures it."""
