"""
Device names out of ua-parser's list, for what our table does not tell apart.

What our table knows stays as it is: it is honest about what an iPad says of itself,
calls a TV a TV, and does not take the window of an app for a browser.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from session_limit.client import Device
from session_limit.client.device import device_name
from session_limit.client.user_agents import browser_of, platform_of, user_agent

try:
    from ua_parser import parse
except ImportError as error:
    raise ImportError(
        "session_limit.contrib.ua_parser needs ua-parser: "
        'pip install "django-session-limit[ua-parser]"'
    ) from error

if TYPE_CHECKING:
    from django.http import HttpRequest

# What many say that they are who are something else.
_COMMON = frozenset({"", "Chrome", "Edge", "Firefox", "Safari"})
# Names for what is made of these, which are no news: "Chrome Mobile WebView". An app
# that shows a page is taken for "Apple Mail".
_NO_NEWS = re.compile("Chrome|Chromium|Edge|Firefox|Safari|Android|WebView|Apple Mail")


def describe_device(request: HttpRequest) -> Device:
    """
    Return what our table and ua-parser make of the device that sent ``request``. Unlike
    our table's, ua-parser's names may repeat words of the client's:
    ``client.describe`` bounds them.
    """
    found = parse(user_agent(request))
    platform, device_class = platform_of(request)
    browser = browser_of(request, platform)
    family = found.user_agent.family if found.user_agent else ""
    if browser in _COMMON and family and not _NO_NEWS.search(family):
        browser = family.removesuffix(" Mobile")
    if not platform and found.os:
        platform = found.os.family
    return Device(device_name(browser, platform), device_class)
