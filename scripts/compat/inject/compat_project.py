"""Change settings of whatever Django project the process sets up."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.apps.registry import Apps
from django.conf import LazySettings, settings
from django.urls import URLPattern, URLResolver, include, path
from django.utils.functional import cached_property

APP = "session_limit"
# A fast hasher: the tests of some libraries create a user each.
HASHER = "django.contrib.auth.hashers.MD5PasswordHasher"
BELOW = "django.contrib.sessions.middleware.SessionMiddleware"
MIDDLEWARE = "session_limit.middleware.SessionLimitMiddleware"


def change() -> None:
    """Have Django set up with COMPAT_SETTINGS, and with the package if asked for."""
    changes: dict[str, Any] = json.loads(os.environ["COMPAT_SETTINGS"])
    mark = os.environ.get("COMPAT_INSTALLED")
    populate = Apps.populate

    def changed(self: Apps, installed_apps: Iterable[Any]) -> None:
        # A test that overrides INSTALLED_APPS populates the registry again.
        Apps.populate = populate
        hashers = dict.fromkeys([HASHER, *settings.PASSWORD_HASHERS])
        settings.PASSWORD_HASHERS = list(hashers)
        for name, value in changes.items():
            setattr(settings, name, value)
        if mark:
            installed_apps = install(settings, list(installed_apps))
            Path(mark).touch()
        populate(self, installed_apps)

    Apps.populate = changed


def install(settings: LazySettings, installed_apps: list[Any]) -> list[Any]:
    """Install the package as the documentation says. Return the new list of apps."""
    needed = ["django.contrib.staticfiles", APP]
    added = [app for app in needed if app not in installed_apps]
    settings.INSTALLED_APPS = [*installed_apps, *added]
    settings.STATIC_URL = settings.STATIC_URL or "static/"
    middleware = list(settings.MIDDLEWARE)
    middleware.insert(middleware.index(BELOW) + 1, MIDDLEWARE)
    settings.MIDDLEWARE = middleware
    include_urls()
    return settings.INSTALLED_APPS


def include_urls() -> None:
    """Add the package's URLs to every URLconf, because tests have several of them."""
    # Django computes this property from the URLconf's list.
    own = vars(URLResolver)["url_patterns"].func

    def url_patterns(self: URLResolver) -> list[URLPattern | URLResolver]:
        patterns = own(self)
        if str(self.pattern) == "^/":
            return [*patterns, path("session-limit/", include("session_limit.urls"))]
        return patterns

    URLResolver.url_patterns = cached_property(url_patterns)
    URLResolver.url_patterns.__set_name__(URLResolver, "url_patterns")
