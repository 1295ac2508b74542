"""
Name devices that the package's own table does not know, by the list of ua-parser.

Names from our table stay, because it is more careful: it does not guess what an iPad
reports, recognises a TV, and does not take an app's web view for a browser.
"""

from __future__ import annotations

import re

from django.http import HttpRequest

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

# Names that many other browsers also claim.
_COMMON = frozenset({"", "Chrome", "Edge", "Firefox", "Safari"})
# Names of ua-parser that add nothing to these, such as "Chrome Mobile WebView". It also
# takes web views of apps for "Apple Mail".
_UNINFORMATIVE = re.compile(
    "Chrome|Chromium|Edge|Firefox|Safari|Android|WebView|Apple Mail"
)


def describe_device(request: HttpRequest) -> Device:
    """
    Return the name and class of the device that sent ``request``.

    Names from ua-parser may contain words that the client sent. ``client.describe()``
    shortens them and removes unprintable characters. Install the extra ``ua-parser``,
    and set::

        SESSION_LIMIT_DEVICE = "session_limit.contrib.ua_parser.describe_device"
    """
    found = parse(user_agent(request))
    platform, device_class = platform_of(request)
    browser = browser_of(request, platform)
    family = found.user_agent.family if found.user_agent else ""
    if browser in _COMMON and family and not _UNINFORMATIVE.search(family):
        browser = family.removesuffix(" Mobile")
    if not platform and found.os:
        platform = found.os.family
    return Device(device_name(browser, platform), device_class)
