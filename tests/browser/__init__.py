"""Stories in a real Chromium, against the example site as a server serves it."""
