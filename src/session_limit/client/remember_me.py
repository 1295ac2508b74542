"""Find out whether a person signed in without "Remember me"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import CodeType, ModuleType
from typing import Any

from django.core.exceptions import BadRequest
from django.http import HttpRequest
from django.http.request import RawPostDataException
from django.views.decorators.debug import sensitive_variables

from session_limit.client import posted_data

# The key under which Django keeps the expiry that was set for a session.
EXPIRY = "_session_expiry"

# Names of fields with which a person asks to stay signed in.
_FIELD = re.compile(r"remember|persist|(keep|stay).*(sign|log)", re.IGNORECASE)
# Values of such a field in JSON, or in a form that posts the field unticked, too.
_UNTICKED = {"", "0", "false", "no", "off", "none", "null"}
_FORMS = ("form_class", "authentication_form", "serializer_class")
_DECLARED = "_declared_fields"

# What the code that sets an expiry names, and the packages whose code need not be read.
_SETS = {"set_expiry", "aset_expiry", EXPIRY}
_OTHERS = {"django", "session_limit"}
# How many calls away from the view its code is read.
DEPTH = 2


def may_be_unticked(request: HttpRequest) -> bool:
    """
    Return whether the view may shorten the session after ``login()``.

    This is so unless the person has ticked a field such as "Remember me", if the posted
    data or the view's form have such a field, or if the code of the view or of its form
    sets the expiry of sessions. The code cannot tell when it does so: a browser posts
    nothing for a field that is not ticked.
    """
    ticked = [_is_ticked(value) for value in _posted(request)]
    if any(ticked):
        return False
    return bool(ticked) or any(map(_may_shorten, _views(request)))


@sensitive_variables()
def _posted(request: HttpRequest) -> list[Any]:
    try:
        data = posted_data.posted(request)
    except (BadRequest, RawPostDataException, OSError):
        return []
    return [value for name, value in data.items() if _FIELD.search(name)]


def _is_ticked(value: object) -> bool:
    return str(value).strip().lower() not in _UNTICKED


def _views(request: HttpRequest) -> Iterator[Any]:
    """Yield the view that serves ``request``, and the functions that it decorates."""
    match = request.resolver_match
    view: Any = match.func if match is not None else None
    while view is not None:
        yield view
        view = getattr(view, "__wrapped__", None) or getattr(view, "func", None)


def _classes(view: Any) -> Iterator[type]:
    """Yield the classes of a view and of its form."""
    view_class = getattr(view, "view_class", None) or getattr(view, "cls", None)
    owner = view_class or type(getattr(view, "__self__", None))
    for each in (owner, *(getattr(owner, name, None) for name in _FORMS)):
        yield from getattr(each, "__mro__", ())


def _may_shorten(view: Any) -> bool:
    """Return whether a view, its class or its form may set the expiry of a session."""
    functions = [view]
    for each in _classes(view):
        # Forms of Django and serializers of Django REST framework name their fields so.
        fields = (*getattr(each, "base_fields", ()), *getattr(each, _DECLARED, ()))
        if any(map(_FIELD.search, fields)):
            return True
        functions += vars(each).values()
    return any(_sets_expiry(each, DEPTH) for each in functions)


def _sets_expiry(function: Any, depth: int) -> bool:
    """
    Return whether the code of ``function`` sets the expiry of a session.

    This includes the functions that ``function`` calls by name, down to ``depth``.
    """
    code = getattr(function, "__code__", None)
    module = getattr(function, "__module__", None) or ""
    if not isinstance(code, CodeType) or module.partition(".")[0] in _OTHERS:
        return False
    names = set(_names(code))
    if not names.isdisjoint(_SETS):
        return True
    known = [function.__globals__[name] for name in names & {*function.__globals__}]
    for each in [each for each in known if isinstance(each, ModuleType)]:
        known += [getattr(each, name, None) for name in names]
    return depth > 0 and any(_sets_expiry(each, depth - 1) for each in known)


def _names(code: CodeType) -> Iterator[str]:
    """Yield the names and the texts in ``code``."""
    yield from code.co_names
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _names(each)
        elif isinstance(each, str):
            yield each
