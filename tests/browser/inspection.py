"""Check every page that a test opens for its width and its accessibility."""

from __future__ import annotations

import re

IS_WIDER = "() => document.documentElement.scrollWidth > innerWidth"
IS_DARK = "() => matchMedia('(prefers-color-scheme: dark)').matches"

# Ids, times and tokens differ each time and look the same.
CHANGING = re.compile(r'[0-9a-f]{8}-[0-9a-f-]{27}|\d\d:\d\d|value="[\w:-]{40,}"')

# Exclude what belongs to Django's admin: search, breadcrumbs, and the fields for
# permissions and dates.
NOT_OURS = {
    "exclude": [["#changelist-search"], [".breadcrumbs"], [".selector"], [".datetime"]]
}


class Inspection:
    """Check pages, each of them once."""

    def __init__(self):
        self._in_order = set()

    def look(self, page):
        """Assert that the page fits into the window and passes axe's checks."""
        content = CHANGING.sub("", page.content())
        known = (page.viewport_size["width"], page.evaluate(IS_DARK), content)
        if known in self._in_order:
            return
        assert not page.evaluate(IS_WIDER), f"{page.url} is wider than the window"
        found = serious(page)
        assert not found, (page.url, found)
        self._in_order.add(known)


def serious(page):
    """Return the violations that axe rates serious or critical."""
    # axe is not installed everywhere.
    from axe_playwright_python.sync_playwright import Axe

    return [
        (found["id"], [node["html"] for node in found["nodes"]])
        for found in Axe().run(page, context=NOT_OURS).response["violations"]
        if found["impact"] in {"serious", "critical"}
    ]
