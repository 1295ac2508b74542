"""Debian's Chromium, as Playwright drives it."""

from __future__ import annotations

import contextlib
import os
import shutil

# Without what shows windows it takes a third of the time.
NAMES = ("chromium-headless-shell", "chromium")


def executable():
    """Return where the browser is; ``None`` if it is not on the path."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextlib.contextmanager
def launched():
    """Start the browser, without a window; yield it."""
    # Not installed everywhere.
    from playwright.sync_api import sync_playwright

    # Under root it wants to be told so.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable(), args=arguments
        )
        try:
            yield browser
        finally:
            browser.close()
