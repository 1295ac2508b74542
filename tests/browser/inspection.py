"""What every page is looked at for."""

from __future__ import annotations

import re

IS_WIDER = "() => document.documentElement.scrollWidth > innerWidth"
IS_DARK = "() => matchMedia('(prefers-color-scheme: dark)').matches"

# What is another each time, and looks the same: ids, times, tokens.
CHANGING = re.compile(r'[0-9a-f]{8}-[0-9a-f-]{27}|\d\d:\d\d|value="[\w:-]{40,}"')

# Django's own, in its admin: the way here, the search, permissions to choose from,
# dates and times.
NOT_OURS = {
    "exclude": [["#changelist-search"], [".breadcrumbs"], [".selector"], [".datetime"]]
}


class Inspection:
    """Looks at pages. One that was found in order is not looked at again."""

    def __init__(self):
        self._in_order = set()

    def look(self, page):
        """Find nothing wider than the window, and nothing serious by axe's rules."""
        content = CHANGING.sub("", page.content())
        known = (page.viewport_size["width"], page.evaluate(IS_DARK), content)
        if known in self._in_order:
            return
        assert not page.evaluate(IS_WIDER), f"{page.url} is wider than the window"
        found = serious(page)
        assert not found, (page.url, found)
        self._in_order.add(known)


def serious(page):
    """Return what axe finds that keeps somebody from using the page."""
    # Not installed everywhere.
    from axe_playwright_python.sync_playwright import Axe

    return [
        (found["id"], [node["html"] for node in found["nodes"]])
        for found in Axe().run(page, context=NOT_OURS).response["violations"]
        if found["impact"] in {"serious", "critical"}
    ]
