from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from tests.browser.chromium import launched
from tests.browser.inspection import Inspection
from tests.browser.site import prepare, served
from tests.browser.visitor import KEYBOARD, NO_JAVASCRIPT, POINTER, Visitor


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.services("chromium"))


# The browser belongs to this directory alone, because Django refuses to use a database
# in this thread while Playwright's event loop runs in it.
@pytest.fixture(scope="package")
def chromium():
    with launched() as browser:
        yield browser


@pytest.fixture(scope="package")
def inspection():
    return Inspection()


@pytest.fixture(scope="package")
def template(tmp_path_factory):
    database = tmp_path_factory.mktemp("template") / "db.sqlite3"
    prepare(database)
    return database


@pytest.fixture(scope="package")
def served_once(template, tmp_path_factory):
    """Return a function that serves the site with given settings, once for all."""
    with contextlib.ExitStack() as stack:
        sites = {}

        def serve(**settings):
            key = tuple(sorted(settings.items()))
            if key not in sites:
                directory = tmp_path_factory.mktemp("site")
                site = served(directory, template, **settings)
                sites[key] = stack.enter_context(site)
            return sites[key]

        yield serve


@pytest.fixture(params=[POINTER, KEYBOARD, NO_JAVASCRIPT])
def way(request):
    return request.param


@pytest.fixture
def serve(served_once):
    """Return a function that serves the site with given settings, as if it were new."""

    def serve(**settings):
        site = served_once(**settings)
        site.restore()
        return site

    return serve


@pytest.fixture
def visitor(chromium, inspection):
    """Return a function that opens a site in a new browser, closed with the test."""
    with contextlib.ExitStack() as stack:

        def arrive(site, device, way=POINTER, **options):
            arrived = Visitor(chromium, inspection, site, device, way, **options)
            return stack.enter_context(contextlib.closing(arrived))

        yield arrive
