"""Recognize requests for this package's own URLs before Django resolves them."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple, cast
from uuid import UUID

from django.conf import settings
from django.urls import LocalePrefixPattern, URLResolver, get_resolver
from django.utils import translation
from django.utils.functional import Promise

# The app_name of session_limit.urls, and the names of the views served before Django.
APP = "session_limit"
GATEWAY, EVENTS, RENEW = "gateway", "events", "renew_play"


def find_below(path_info: str, name: str) -> str | None:
    """
    Return the rest of a path after the URL of this package's view with this name.

    Return ``""`` for the view's URL itself, and ``None`` for any other path. The
    thread's active language makes no difference.
    """
    # Most paths lack this last part of the URL, and need no more work. Paths are not
    # cached, so that clients cannot fill a cache.
    if f"/{name}/" not in path_info:
        return None
    for way, path in _matches(path_info, name):
        route = str(way.view)
        if path.startswith(route):
            return path.removeprefix(route)
    return None


def find_play(path_info: str) -> UUID | None:
    """
    Return the id of the play that the URL of the view ``renew_play`` names.

    Return ``None`` for any other path. See ``find_below()``.
    """
    if not path_info.endswith("/renew/"):
        return None
    for way, path in _matches(path_info, RENEW):
        match = way.view.match(path)
        if match is not None:
            return cast("UUID", match[2]["id"])
    return None


def _matches(path_info: str, name: str) -> Iterator[tuple[_Way, str]]:
    """Yield each way to the view, with the part of the path that its URL must match."""
    for way in _ways(get_resolver(settings.ROOT_URLCONF), name):
        for language in way.languages(path_info):
            with translation.override(language) if language else nullcontext():
                path = way.match(path_info)
            if path is not None:
                yield way, path


class _Way(NamedTuple):
    """The URL patterns that lead from the root URLconf to a view of this package."""

    patterns: Sequence[Any]
    view: Any

    def languages(self, path_info: str) -> list[str | None]:
        """
        Return the codes of the languages in which to match ``path_info``.

        Return ``[None]`` if the URL is the same in every language.
        """
        if any(isinstance(each, LocalePrefixPattern) for each in self.patterns):
            # LocaleMiddleware selects the language in the same way.
            found = translation.get_language_from_path(path_info)
            return [found or settings.LANGUAGE_CODE]
        if any(isinstance(_source(each), Promise) for each in self.patterns):
            # The URL is translated, but does not name its language. A proxy uses one
            # URL for clients of every language.
            return [code for code, _ in settings.LANGUAGES]
        return [None]

    def match(self, path: str) -> str | None:
        """Return the part of ``path`` for the view, or ``None`` if no match."""
        for pattern in self.patterns:
            match = pattern.match(path)
            if match is None:
                return None
            path = match[0]
        return path


def _source(pattern: Any) -> object:
    """Return a URL pattern's route or regex, which is a lazy string if translated."""
    return getattr(pattern, "_route", getattr(pattern, "_regex", None))


@functools.lru_cache(maxsize=8)
def _ways(root: URLResolver, name: str) -> tuple[_Way, ...]:
    return tuple(_walk(root, name, (), is_ours=False))


def _walk(
    resolver: URLResolver, name: str, above: tuple[Any, ...], *, is_ours: bool
) -> Iterator[_Way]:
    above = (*above, resolver.pattern)
    is_ours = is_ours or resolver.app_name == APP
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from _walk(entry, name, above, is_ours=is_ours)
        elif is_ours and entry.name == name:
            yield _Way(above, entry.pattern)
