"""System checks for the place where sessions are stored, and for their cookie."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.backends.cache import SessionStore as CacheStore
from django.contrib.sessions.backends.cached_db import SessionStore as CachedDbStore
from django.core import checks
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache

from session_limit.checks.addresses import address_of
from session_limit.checks.classes import imported, is_subclass, setting
from session_limit.client import browser_cookie
from session_limit.pages import chooser, links


def session_store() -> type[SessionBase] | None:
    """Return the class of ``SESSION_ENGINE``, or ``None`` if there is none."""
    store = imported(f"{settings.SESSION_ENGINE}.SessionStore")
    return store if is_subclass(store, SessionBase) else None


def check_engine(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """Check that ``SESSION_ENGINE`` exists, and that its cache can hold sessions."""
    store = session_store()
    if store is None:
        yield checks.Error(
            f"SESSION_ENGINE {settings.SESSION_ENGINE!r} is not a session engine"
            f"{_why_not(settings.SESSION_ENGINE)}.",
            hint="Use the dotted path of a module with a class SessionStore, such as "
            '"django.contrib.sessions.backends.db".',
            id="session_limit.E204",
        )
    elif issubclass(store, CacheStore | CachedDbStore):
        yield from _check_cache(is_only_copy=issubclass(store, CacheStore))


def _why_not(path: Any) -> str:
    """Return the end of a sentence, with the error that the import raises, if any."""
    if not isinstance(path, str):
        return ""
    try:
        import_module(path)
    except Exception as error:  # noqa: BLE001 a project's module may raise anything
        return f": {error}"
    return ""


def _check_cache(*, is_only_copy: bool) -> Iterator[checks.CheckMessage]:
    alias, backend = _session_cache()
    if backend is None:
        yield checks.Error(
            f'SESSION_ENGINE stores sessions in the cache "{alias}" '
            "(SESSION_CACHE_ALIAS), which CACHES does not define. Every request that "
            "reads its session would fail.",
            hint=f'Add "{alias}" to CACHES with a BACKEND that can be imported, or set '
            "SESSION_CACHE_ALIAS to another cache.",
            id="session_limit.E501",
        )
    elif is_only_copy and is_subclass(backend, DummyCache):
        yield checks.Error(
            f'SESSION_ENGINE stores sessions in the cache "{alias}", which is a '
            "DummyCache and stores nothing. People would be signed out at once.",
            hint="For development, set SESSION_ENGINE to "
            '"django.contrib.sessions.backends.db".',
            id="session_limit.E502",
        )


def _session_cache() -> tuple[Any, Any]:
    """Return the alias of the sessions' cache, and its class or ``None``."""
    alias, defined = setting("SESSION_CACHE_ALIAS"), setting("CACHES")
    # An alias that is not text may not be hashable.
    found = None
    if isinstance(defined, dict) and isinstance(alias, str):
        found = defined.get(alias)
    backend = found.get("BACKEND") if isinstance(found, dict) else None
    return alias, imported(backend)


def check_processes(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """Warn if sessions are stored in the memory of one process."""
    alias, backend = _session_cache()
    if is_subclass(session_store(), CacheStore) and is_subclass(backend, LocMemCache):
        yield checks.Warning(
            f'SESSION_ENGINE stores sessions in the cache "{alias}", which is a '
            "LocMemCache. Each server process has a cache of its own. With several "
            'processes, people who have just signed in are told "Please sign in '
            'again".',
            hint="Use a cache that all processes share, such as Redis, or the session "
            'engine "django.contrib.sessions.backends.db".',
            id="session_limit.W503",
        )


def check_cookies(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """Check that the session's cookie is kept by browsers and shares no name."""
    owners: dict[Any, list[str]] = defaultdict(list)
    session = "the session (SESSION_COOKIE_NAME)"
    cookies = [
        (settings.SESSION_COOKIE_NAME, session),
        (browser_cookie.COOKIE, "recognizing browsers (session_limit)"),
        (chooser.COOKIE, "sign-ins that wait for a choice (session_limit)"),
        (settings.LANGUAGE_COOKIE_NAME, "the language (LANGUAGE_COOKIE_NAME)"),
    ]
    if not settings.CSRF_USE_SESSIONS:
        cookies.append((settings.CSRF_COOKIE_NAME, "CSRF tokens (CSRF_COOKIE_NAME)"))
    if apps.is_installed("django.contrib.messages") and (
        settings.MESSAGE_STORAGE != "django.contrib.messages.storage.session."
        "SessionStorage"
    ):
        cookies.append(("messages", "django.contrib.messages"))
    for name, owner in cookies:
        if isinstance(name, str):
            owners[name].append(owner)
    for name, found in owners.items():
        if len(found) > 1 and (session in found or name.startswith("session_limit_")):
            yield checks.Error(
                f'One cookie name, "{name}", is used for {" and for ".join(found)}. '
                "Each overwrites the other, and people are signed out.",
                hint="Give each cookie a name of its own.",
                id="session_limit.E504",
            )
    same_site = settings.SESSION_COOKIE_SAMESITE
    if (
        isinstance(same_site, str)
        and same_site.lower() == "none"
        and not settings.SESSION_COOKIE_SECURE
    ):
        yield checks.Warning(
            'SESSION_COOKIE_SAMESITE is "None" and SESSION_COOKIE_SECURE is not set. '
            "Browsers refuse such a cookie, so nobody stays signed in.",
            hint="Set SESSION_COOKIE_SECURE = True and use HTTPS, or set "
            'SESSION_COOKIE_SAMESITE to "Lax".',
            id="session_limit.W505",
        )


def check_cookie_flags(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """Warn if the session's cookie can be copied from a page or from the network."""
    protections = {
        "SESSION_COOKIE_SECURE": "from an unencrypted connection",
        "SESSION_COOKIE_HTTPONLY": "by a script on a page",
    }
    weak = [name for name in protections if not getattr(settings, name)]
    if weak:
        ways = " and ".join(protections[name] for name in weak)
        yield checks.Warning(
            f"The session's cookie can be copied {ways}. A browser with a copy uses "
            "the same session, so the limit does not count that browser.",
            hint=f"Set {' and '.join(f'{name} = True' for name in weak)}.",
            id="session_limit.W506",
        )


def check_cookie_path(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """Warn if browsers do not send the session's cookie to the package's pages."""
    path = setting("SESSION_COOKIE_PATH")
    page = address_of(links.LIST_VIEW)
    if page is None or not isinstance(path, str) or not path.startswith("/"):
        return  # for a path without a slash, browsers use one of their own
    if not f"{page}/".startswith(f"{path.rstrip('/')}/"):
        yield checks.Warning(
            f'SESSION_COOKIE_PATH is "{path}", so browsers do not send the session\'s '
            f'cookie to the pages of session_limit at "{page}". There, nobody is '
            "signed in, and nobody can choose a session to end.",
            hint=f'Include session_limit.urls below "{path}", or set '
            'SESSION_COOKIE_PATH = "/".',
            id="session_limit.W507",
        )
