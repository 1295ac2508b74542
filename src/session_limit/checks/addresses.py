"""System checks for the package's own URLs, and for those to which its pages link."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.contrib.auth.middleware import RemoteUserMiddleware
from django.core import checks
from django.shortcuts import resolve_url
from django.urls import NoReverseMatch, Resolver404, get_script_prefix, resolve, reverse
from django.utils.functional import Promise

from session_limit.checks.classes import imported, is_subclass, setting
from session_limit.pages.links import ENDED_VIEW
from session_limit.policy import AtLimit

# Schemes of addresses that need no host.
_SCHEMES = ("mailto:", "tel:", "sms:")


def address_of(view: str) -> str | None:
    """Return the URL of ``view``, or ``None`` if the project has no such URL."""
    if not getattr(settings, "ROOT_URLCONF", None):
        return None
    try:
        return reverse(view)
    except Exception:  # noqa: BLE001 a project's URLconf may raise anything
        return None  # Django's own URL checks report it


def check_urls(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """
    Check that ``ROOT_URLCONF`` includes ``session_limit.urls``.

    If the URLs are included, also warn if ``django.contrib.staticfiles`` is not
    installed. Without that app, the package's pages have no style sheet.
    """
    if not getattr(settings, "ROOT_URLCONF", None):
        return  # Django's own URL checks skip such a project too
    if address_of(ENDED_VIEW) is not None:
        if not apps.is_installed("django.contrib.staticfiles"):
            yield checks.Warning(
                "django.contrib.staticfiles is not installed, so the pages of "
                "session_limit have no style sheet.",
                hint='Add "django.contrib.staticfiles" to INSTALLED_APPS. If this '
                "project serves only an API, silence this check.",
                id="session_limit.W404",
            )
        return
    hint = 'Add path("account/sessions/", include("session_limit.urls")).'
    if getattr(settings, "SESSION_LIMIT_AT_LIMIT", None) == AtLimit.ASK:
        yield checks.Error(
            "session_limit.urls are not included in ROOT_URLCONF. With "
            'SESSION_LIMIT_AT_LIMIT = "ask" nobody can choose which session to end, '
            "and a sign-in at the limit is refused.",
            hint=hint,
            id="session_limit.E402",
        )
    else:
        yield checks.Warning(
            "session_limit.urls are not included in ROOT_URLCONF. People cannot see "
            "and end their sessions, and after an automatic sign-in they cannot choose "
            "to use this browser instead.",
            hint=hint,
            id="session_limit.W401",
        )


def check_sign_in_page(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """Warn if ``LOGIN_URL`` leads to no page of the project."""
    if not getattr(settings, "ROOT_URLCONF", None) or _signs_in_by_itself():
        return
    page = setting("LOGIN_URL")
    problem = None
    try:
        url: Any = resolve_url(page)
    except NoReverseMatch:
        problem = "names no URL of this project"
    except Exception:  # noqa: BLE001 the value or the URLconf may be of any kind
        problem = "is not an address"
    else:
        if not isinstance(url, str):
            problem = "is not an address"
        elif not _leads_somewhere(url):
            problem = "leads to no page of this project"
    if problem is not None:
        # The text of reverse_lazy() may be what fails.
        shown = "" if isinstance(page, Promise) else f" {page!r}"
        yield checks.Warning(
            f"LOGIN_URL{shown} {problem}. The pages that say why a session has "
            'ended link to it ("Sign in", "Use here instead"), and people would get '
            "a 404.",
            hint="Set LOGIN_URL to the name or the address of your sign-in page. If "
            "another server serves that address, silence this check.",
            id="session_limit.W405",
        )


def _signs_in_by_itself() -> bool:
    """Return whether a middleware signs people in, so that there is no such page."""
    listed = setting("MIDDLEWARE")
    paths = listed if isinstance(listed, list | tuple) else []
    return any(is_subclass(imported(path), RemoteUserMiddleware) for path in paths)


def _leads_somewhere(url: str) -> bool:
    """Return whether a view of the project serves ``url``, as far as can be known."""
    parts = urlsplit(url)
    prefix = get_script_prefix()
    if parts.netloc or not parts.path.startswith(prefix):
        return True  # another site, or another application of this site
    path = f"/{parts.path.removeprefix(prefix)}"
    # Django's middleware redirects to the address with a slash, or with a language.
    for each in (path, f"{path}/", f"/{settings.LANGUAGE_CODE}{path}"):
        try:
            resolve(each)
        except Resolver404:
            continue
        except Exception:  # noqa: BLE001 a project's URLconf may raise anything
            return True  # Django's own URL checks report it
        return True
    return False


def check_links(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """Check the addresses of the links "Not you?" and "Contact support"."""
    for name in ("SESSION_LIMIT_SECURE_ACCOUNT_URL", "SESSION_LIMIT_SUPPORT_URL"):
        value = getattr(settings, name, None)
        if isinstance(value, Promise):
            yield from _check_lazy(name, value)
        elif isinstance(value, str) and value and not _is_address(value):
            yield checks.Error(
                f'{name} is "{value}", which a browser reads as an address below the '
                "page that shows the link. The link leads nowhere.",
                hint=_meant(value),
                id="session_limit.E410",
            )


def _check_lazy(name: str, value: Promise) -> Iterator[checks.CheckMessage]:
    if not getattr(settings, "ROOT_URLCONF", None):
        return
    try:
        str(value)
    except NoReverseMatch as error:
        yield checks.Error(
            f"{name} names no URL of this project: {error} The pages that say why a "
            "session has ended would fail.",
            hint="Give reverse_lazy() the name of a URL, with its namespace.",
            id="session_limit.E411",
        )
    except Exception:  # noqa: BLE001 a project's URLconf may raise anything
        return  # Django's own URL checks report it


def _is_address(value: str) -> bool:
    return value.startswith(("/", *_SCHEMES)) or "://" in value


def _meant(value: str) -> str:
    """Return the hint for a link that is not an address."""
    if "@" in value:
        return f'For a mail address, use "mailto:{value}".'
    if address_of(value) is not None:
        return f'For the name of a URL, use reverse_lazy("{value}").'
    return (
        'Begin it with "/" or with "https://", or use reverse_lazy() with the name of '
        "a URL."
    )
