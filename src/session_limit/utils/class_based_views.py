"""Find the view that serves a request or a path."""

from __future__ import annotations

from urllib.parse import unquote

from django.http import HttpRequest
from django.urls import Resolver404, ResolverMatch, get_script_prefix, resolve
from django.views import View


def match_at(path: str, urlconf: str | None = None) -> ResolverMatch | None:
    """Return which view serves a quoted ``path`` of this site, or ``None`` if none."""
    try:
        return resolve(f"/{unquote(path).removeprefix(get_script_prefix())}", urlconf)
    except Resolver404:
        return None


def view_class_of(request: HttpRequest) -> type[View] | None:
    """Return the class of the view that serves ``request``, or ``None`` if none."""
    match = request.resolver_match
    found = None if match is None else getattr(match.func, "view_class", None)
    return found if isinstance(found, type) and issubclass(found, View) else None


def view_of(request: HttpRequest) -> View | None:
    """
    Return a new instance of the view that serves ``request``, as ``as_view()`` makes.

    Return ``None`` if no class-based view serves ``request``. The constructor and the
    method ``setup()`` belong to the project and may raise any exception.
    """
    view_class, match = view_class_of(request), request.resolver_match
    if view_class is None or match is None:
        return None
    view = view_class(**getattr(match.func, "view_initkwargs", {}))
    view.setup(request, *match.args, **match.kwargs)
    return view
