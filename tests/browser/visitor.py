"""
A browser of its own, with a person who uses it in one way.

A visitor does everything with a pointer, by keyboard alone, or without JavaScript.
``look()`` checks every page that this leads to: no errors in the console, no violation
of the site's content security policy, nothing wider than the window, and nothing
serious that axe finds.
"""

from __future__ import annotations

POINTER, KEYBOARD, NO_JAVASCRIPT = "pointer", "keyboard", "without JavaScript"

# Without this header, the browser reports "HeadlessChrome" under any user agent.
BRAND = "Sec-CH-UA"
CHROME = {BRAND: '"Chromium";v="140", "Google Chrome";v="140"'}
LAPTOP = {
    "extra_http_headers": CHROME,
    "user_agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 "
    "(KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "viewport": {"width": 1280, "height": 800},
}
PHONE = {
    "extra_http_headers": CHROME,
    "user_agent": "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 "
    "(KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
    "viewport": {"width": 320, "height": 640},
    "is_mobile": True,
    "has_touch": True,
}
TABLET = {
    "extra_http_headers": {BRAND: ""},
    "user_agent": "Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
    "viewport": {"width": 820, "height": 1180},
}

# The browser logs these as errors, although the site means to send them.
ANSWERS = tuple(
    f"Failed to load resource: the server responded with a status of {status}"
    for status in (401, 403, 409, 410)
)
TABS = 60
IS_ON_RADIO = "() => document.activeElement.type === 'radio'"
IS_FOCUSED = "element => element === document.activeElement"
SHOWS_FOCUS = """element => {
    const style = getComputedStyle(element);
    return style.outlineStyle !== "none" || style.boxShadow !== "none";
}"""


class Visitor:
    def __init__(self, chromium, inspection, site, device, way=POINTER, **options):
        self.site, self.way = site, way
        self._inspection = inspection
        self._context = chromium.new_context(
            base_url=site.url,
            java_script_enabled=way != NO_JAVASCRIPT,
            **{"locale": "en-GB"} | device | options,
        )
        self._context.set_default_timeout(30_000)
        self._errors = []
        self._context.on("console", self._heard)
        self._context.on("weberror", lambda error: self._errors.append(error.error))
        self.page = self._context.new_page()

    def close(self):
        self._context.close()

    def tab(self):
        """Continue in a new tab of this browser, and return the first tab's page."""
        page, self.page = self.page, self._context.new_page()
        return page

    # Actions

    def open(self, address):
        self.page.goto(address)
        self.look()

    def reload(self):
        self.page.reload()
        self.look()

    def back(self):
        self.page.go_back()
        self.look()

    def press(self, name, *, within="body"):
        """Press the button or follow the link with this name. Check the next page."""
        scope = self.page.locator(within)
        target = scope.get_by_role("button", name=name, exact=True)
        target = target.or_(scope.get_by_role("link", name=name, exact=True))
        with self.page.expect_navigation():
            if self.way == KEYBOARD:
                self._go_to(target)
                self.page.keyboard.press("Enter")
            else:
                target.click()
        self.look()

    def fill(self, label, text):
        field = self.page.get_by_label(label, exact=True)
        if self.way == KEYBOARD:
            self._go_to(field)
            self.page.keyboard.press("ControlOrMeta+a")
            self.page.keyboard.type(text)
        else:
            field.fill(text)

    def tick(self, box):
        if self.way == KEYBOARD:
            self._go_to(box)
            self.page.keyboard.press("Space")
        else:
            box.check()

    def select(self, field, option):
        if self.way == KEYBOARD:
            self._go_to(field)
            self.page.keyboard.type(option)
        else:
            field.select_option(label=option)

    def pick(self, label):
        """Select one of several radio buttons."""
        choice = self.page.get_by_role("radio", name=label)
        if self.way != KEYBOARD:
            choice.check()
            return
        # The Tab key stops once for all radio buttons. The arrow keys move among them.
        self._tab_until(lambda: self.page.evaluate(IS_ON_RADIO))
        for _ in range(TABS):
            if choice.evaluate(IS_FOCUSED):
                break
            self.page.keyboard.press("ArrowDown")
        assert choice.is_checked()

    def sign_in(self, name, password, address="/members/"):
        self.open(address)
        self.fill("User name", name)
        self.fill("Password", password)
        self.press("Sign in")

    # What the visitor sees

    @property
    def path(self):
        return self.page.url.removeprefix(self.site.url)

    @property
    def heading(self):
        return self.page.get_by_role("heading", level=1).inner_text()

    @property
    def text(self):
        return " ".join(self.page.locator("main").inner_text().split())

    def look(self):
        """Assert that the browser reported no error and that the page has no fault."""
        assert not self._errors, self._errors
        if self.way != NO_JAVASCRIPT:
            self._inspection.look(self.page)
            # axe writes inline styles to measure elements, and the policy objects.
            self._errors.clear()

    def _heard(self, message):
        if message.type == "error" and not message.text.startswith(ANSWERS):
            self._errors.append((message.text, message.location))

    def _go_to(self, target):
        self._tab_until(lambda: target.evaluate(IS_FOCUSED))
        assert target.evaluate(SHOWS_FOCUS), "the focused element does not look focused"

    def _tab_until(self, reached):
        for _ in range(TABS):
            if reached():
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{self.path}: the Tab key does not reach the element")
