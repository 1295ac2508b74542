"""Configure Sphinx, which builds the documentation from this directory."""

from __future__ import annotations

from session_limit import __version__

project = "django-session-limit"
author = copyright = "the django-session-limit contributors"
version = release = __version__

extensions = ["myst_parser"]
# Link to a heading by its text: [Signals](reference/api.md#signals).
myst_heading_anchors = 3
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"{project} {release}"
html_copy_source = False
