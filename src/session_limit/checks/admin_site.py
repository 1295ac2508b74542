"""A system check for projects whose admin site is not Django's default one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.admin import AdminSite
from django.core import checks
from django.urls import URLResolver, get_resolver

from session_limit.models import UserSession


def check_admin_site(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """
    Warn if the project's admin sites do not include the package's pages.

    The package registers its pages with ``django.contrib.admin.site``. A project that
    serves only another ``AdminSite`` must register them there.
    """
    if not apps.is_installed("django.contrib.admin"):
        return
    if not getattr(settings, "ROOT_URLCONF", None):
        return
    try:
        sites = {id(site): site for site in _served(get_resolver())}.values()
    except Exception:  # noqa: BLE001 a project's URLconf may raise anything
        return  # Django's own URL checks report it
    if sites and not any(site.is_registered(UserSession) for site in sites):
        name = min(site.name for site in sites)
        yield checks.Warning(
            f'The admin site "{name}" does not have the pages of session_limit, which '
            "are registered with django.contrib.admin.site. No URL of this project "
            "serves that site.",
            hint="Register them with your site: import UserSessionAdmin from "
            "session_limit.admin and UserSession from session_limit.models, and call "
            "site.register(UserSession, UserSessionAdmin).",
            id="session_limit.W412",
        )


def _served(resolver: URLResolver) -> Iterator[AdminSite]:
    """Yield the admin site of each URL that belongs to one."""
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from _served(entry)
        elif (site := getattr(entry.callback, "admin_site", None)) is not None:
            yield site
