"""Test that ``Visitor.look()`` finds each kind of fault in a page."""

from __future__ import annotations

import pytest

from tests.browser.visitor import LAPTOP


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("document.body.innerHTML += '<p style=\"color: red\">'", "inline style"),
        ("document.body.innerHTML += '<img src=\"/no-such-picture/\">'", "404"),
        ("setTimeout(() => nobody.knows())", "nobody is not defined"),
        ("document.querySelector('h1').style.color = '#ddd'", "color-contrast"),
        (
            "document.querySelector('h1').style.width = '1300px'",
            "wider than the window",
        ),
    ],
)
def test_what_is_wrong_is_seen(serve, visitor, change, said):
    laptop = visitor(serve(), LAPTOP)
    laptop.open("/")
    laptop.page.evaluate(f"() => {{ {change} }}")
    laptop.page.wait_for_load_state("networkidle")
    with pytest.raises(AssertionError, match=said):
        laptop.look()
