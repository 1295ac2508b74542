"""Test that the scripts work with hashed static files and a strict policy."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from example.server import ROOT
from example.settings import MIDDLEWARE
from tests.browser.site import SETTINGS, served
from tests.browser.test_plays import PAUSED, PLAYING, playing
from tests.browser.test_watch import signed_in, told, until, watches
from tests.browser.visitor import PHONE

COLLECT = ["-m", "django", "collectstatic", "--no-input", "--verbosity", "0"]
NONCES = "tests.browser.hashed.nonces"
SCRIPTS = "[...document.scripts].map(script => script.src)"


@pytest.fixture
def hashed(template, tmp_path):
    """
    Serve the example site with hashed static files alone, and allow scripts by nonce
    alone.

    The files have no other names, as with ``WHITENOISE_KEEP_ONLY_HASHED_FILES``.
    """
    root = tmp_path / "static"
    manifest = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
    settings = {
        "ROOT_URLCONF": "tests.browser.hashed",
        "STATIC_ROOT": str(root),
        "STORAGES": {"staticfiles": {"BACKEND": manifest}},
        "MIDDLEWARE": [
            name.replace("example.csp.content_security_policy", NONCES)
            for name in MIDDLEWARE
        ],
    }
    subprocess.run(
        [sys.executable, *COLLECT],
        cwd=ROOT,
        env=os.environ | SETTINGS | {"SITE_SETTINGS": json.dumps(settings)},
        check=True,
    )
    named = json.loads((root / "staticfiles.json").read_text())["paths"]
    for original in named:
        Path(root, original).unlink()
    with served(tmp_path, template, **settings) as site:
        yield site


def test_under_hashed_names_and_a_nonce(hashed, visitor):
    laptop = signed_in(visitor, hashed)
    scripts = laptop.page.evaluate(SCRIPTS)
    assert [re.sub(r".*/|[.][0-9a-f]{12}(?=[.])", "", each) for each in scripts] == [
        "shared.js",
        "watch.js",
        "shared.js",
        "play.js",
    ]
    # The example's own script has no nonce, so the browser does not run it.
    laptop.page.goto("/live/")
    until(laptop.page, PLAYING)
    playing(hashed, "computer")
    watches(laptop.page)
    signed_in(visitor, hashed, PHONE)
    dialog, _ = told(laptop.page)
    assert "Your account was signed in on a phone." in dialog.inner_text()
    until(laptop.page, PAUSED)
