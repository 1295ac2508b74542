"""Define the people and devices of the demo's story, and print what they do."""

from __future__ import annotations

from example.browser import Browser, Page

LAPTOP = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Mobile Safari/537.36"
)
TABLET = (
    "Mozilla/5.0 (Linux; Android 14; SM-X710) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Safari/537.36"
)
PASSWORDS = {
    "ada": "tide-and-current",
    "grace": "wind-over-water",
    "theo": "ebb-and-flow",
}


def sign_in(browser: Browser, form: Page, username: str) -> Page:
    """
    Submit the sign-in form on the page ``form`` for ``username``. Return the next page.
    """
    return browser.submit(form, username=username, password=PASSWORDS[username])


def tell(who: str, did: str, came: str) -> None:
    """Print one line of the demo's story: who did what, and the result."""
    print(f"  {who:<15} {did:<36} {came}", flush=True)


def quote(lines: list[str]) -> None:
    """Print ``lines`` of a page or of JSON, indented under a line of the story."""
    print("\n".join(f"  {'':<15} | {line}" for line in lines), flush=True)
