"""Test the example site in a real Chromium, as a server serves it."""
