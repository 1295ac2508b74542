"""
Take a screenshot of every page in every state: ``make screenshots``.

    python -m tests.browser.screenshots [--to DIRECTORY] [--images DIRECTORY] [WORD...]

Words select the scenes that have one of them in their name. ``--images`` also copies
the pictures that the documentation shows to where it keeps them. At the end, the
command lists the pages that are wider than their window and what axe finds.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import tempfile
from pathlib import Path

from tests.browser.chromium import launched
from tests.browser.inspection import IS_WIDER, serious
from tests.browser.scenes import Stage, scenes
from tests.browser.site import prepare, served

HEIGHT = 800
# By name: the width of the window, and the color scheme.
LOOKS = {
    "wide": (1280, "light"),
    "wide-dark": (1280, "dark"),
    "phone": (360, "light"),
    "phone-dark": (360, "dark"),
    "320": (320, "light"),
}
# The scenes that the documentation shows, each with its look.
PUBLISHED = {
    ("ended-displaced", "phone"),
    ("chooser", "wide"),
    ("sessions-3", "wide"),
    ("sessions-3", "phone-dark"),
    ("admin-list", "wide"),
    ("admin-timeline-day", "wide"),
    ("live-over", "wide"),
}


def take(visitor, name, to):
    """Take the screenshots of one scene, and yield what is wrong with each."""
    for look, (width, scheme) in LOOKS.items():
        visitor.page.set_viewport_size({"width": width, "height": HEIGHT})
        visitor.page.emulate_media(color_scheme=scheme)
        visitor.page.screenshot(path=to / f"{name}.{look}.png", full_page=True)
        if visitor.page.evaluate(IS_WIDER):
            yield f"{name}.{look}: wider than the window"
        # At a width of 320, axe finds what it finds at 360. A mail has the colors of
        # the program that shows it.
        if look != "320" and visitor.page.url != "about:blank":
            for rule, elements in serious(visitor.page):
                yield f"{name}.{look}: {rule}: {elements[0]}"


def write_index(to):
    """Write a page that shows every screenshot, scene by scene."""
    names = sorted({path.name.split(".")[0] for path in to.glob("*.png")})
    picture = '<img src="{0}.{1}.png" alt="{1}" height="400">'
    rows = [
        f"<h2>{name}</h2>" + "".join(picture.format(name, look) for look in LOOKS)
        for name in names
    ]
    page = f"<!doctype html><title>Screenshots</title>{''.join(rows)}"
    (to / "index.html").write_text(page)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--to", type=Path, default=Path("build/screenshots"))
    parser.add_argument("--images", type=Path)
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    chosen = {
        name: scene
        for name, scene in scenes.items()
        if not options.words or any(word in name for word in options.words)
    }
    wrong = []
    with (
        tempfile.TemporaryDirectory() as directory,
        launched() as chromium,
        contextlib.ExitStack() as servers,
    ):
        template = Path(directory, "template.sqlite3")
        prepare(template)
        sites = {}
        for name, (function, settings) in chosen.items():
            key = repr(settings)
            if key not in sites:
                own = Path(directory, str(len(sites)))
                own.mkdir()
                sites[key] = servers.enter_context(served(own, template, **settings))
            sites[key].restore()
            print(name, flush=True)
            with contextlib.ExitStack() as stack:
                visitor = function(Stage(chromium, sites[key], stack))
                wrong += take(visitor, name, options.to)
    write_index(options.to)
    if options.images:
        for name, look in PUBLISHED:
            picture = options.to / f"{name}.{look}.png"
            if picture.exists():
                shutil.copy(picture, options.images / picture.name)
    print(*wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
