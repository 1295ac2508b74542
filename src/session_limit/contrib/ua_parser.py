"""
Use ua-parser to name devices that the package does not recognize itself.

The package's own table comes first. The table does not guess between a Mac and an iPad,
recognizes TVs, and does not mistake the web view of an app for a browser.
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

# Browsers that many others pretend to be, so ua-parser may know a better name.
_COMMON = frozenset({"", "Chrome", "Edge", "Firefox", "Safari"})
# Names from ua-parser that are no better, such as "Chrome Mobile WebView". ua-parser
# also mistakes web views of apps for "Apple Mail".
_UNINFORMATIVE = re.compile(
    "Chrome|Chromium|Edge|Firefox|Safari|Android|WebView|Apple Mail"
)


def describe_device(request: HttpRequest) -> Device:
    """
    Return the name and class of the device that sent ``request``.

    The name may contain words from the client's headers. The caller must shorten the
    name and remove unprintable characters, as ``client.describe()`` does. To use this
    function, install the extra ``ua-parser`` and set::

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
