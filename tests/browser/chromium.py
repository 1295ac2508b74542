"""Find and start Debian's Chromium for Playwright."""

from __future__ import annotations

import contextlib
import os
import shutil

# The headless shell takes a third of the time, because it cannot show windows.
NAMES = ("chromium-headless-shell", "chromium")


def executable():
    """Return the path of the browser, or ``None`` if it is not installed."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextlib.contextmanager
def launched():
    """Start the browser without a window, and yield it."""
    # Playwright is not installed everywhere.
    from playwright.sync_api import sync_playwright

    # Chromium does not start as root with its sandbox.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable(), args=arguments
        )
        try:
            yield browser
        finally:
            browser.close()
