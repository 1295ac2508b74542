"""System checks for the order of the project's middleware."""

from __future__ import annotations

import dis
import functools
import inspect
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

from django.contrib.sessions.middleware import SessionMiddleware
from django.core import checks

from session_limit.checks.classes import imported, is_subclass, setting
from session_limit.middleware import SessionLimitMiddleware


def check_middleware(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """Check that ``SessionLimitMiddleware`` is listed once, in the right place."""
    given = setting("MIDDLEWARE")
    paths = given if isinstance(given, list | tuple) else []
    classes = [imported(path) for path in paths]
    found = [is_subclass(each, SessionLimitMiddleware) for each in classes]
    error = functools.partial(
        checks.Error,
        hint='Put "session_limit.middleware.SessionLimitMiddleware" directly below '
        '"django.contrib.sessions.middleware.SessionMiddleware", once.',
    )
    if not any(found):
        yield error(
            "SessionLimitMiddleware is not in MIDDLEWARE, so ended sessions would "
            "still authenticate.",
            id="session_limit.E101",
        )
        return
    if found.count(True) > 1:
        yield error(
            f"SessionLimitMiddleware is in MIDDLEWARE {found.count(True)} times.",
            id="session_limit.E102",
        )
    outer = classes[: found.index(True)]
    if not (outer and sets_session(outer[-1])):
        yield error(
            "SessionLimitMiddleware is not directly below SessionMiddleware. "
            "Middleware between them would see sessions that have ended.",
            id="session_limit.E103",
        )


def sets_session(middleware: Any) -> bool:
    """
    Return whether a middleware sets ``request.session``.

    Session middleware of other packages need not be a subclass of Django's. The
    function looks for the assignment in the code of ``middleware``, and in the
    functions and classes of the same package that this code uses.
    """
    package = (getattr(middleware, "__module__", None) or "").partition(".")[0]
    waiting, seen = [middleware], set[int]()
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if is_subclass(each, SessionMiddleware):
            return True
        for function in _functions(each):
            for code in _codes(function.__code__):
                if _assigns_session(code):
                    return True
                used = (function.__globals__.get(name) for name in code.co_names)
                waiting += [
                    other
                    for other in used
                    if is_subclass(other, SessionMiddleware)
                    or (_package(other) == package and callable(other))
                ]
    return False


def _package(value: Any) -> str | None:
    module = getattr(value, "__module__", None)
    return module.partition(".")[0] if isinstance(module, str) else None


def _functions(middleware: Any) -> Iterator[FunctionType]:
    """Yield the function ``middleware``, or the methods of the class and its bases."""
    middleware = getattr(middleware, "func", middleware)  # functools.partial
    if isinstance(middleware, FunctionType):
        yield middleware
        if (wrapped := inspect.unwrap(middleware)) is not middleware:
            yield from _functions(wrapped)
        return
    owner = middleware if isinstance(middleware, type) else type(middleware)
    for base in owner.__mro__:
        for attribute in vars(base).values():
            function = getattr(attribute, "__func__", attribute)
            if isinstance(function, FunctionType):
                yield from _functions(function)


def _codes(code: CodeType) -> Iterator[CodeType]:
    """Yield ``code`` and the code of the functions defined in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _assigns_session(code: CodeType) -> bool:
    """Return whether ``code`` sets the attribute ``session`` of any other object."""
    if "setattr" in code.co_names and "session" in code.co_consts:
        return True
    if "session" not in code.co_names:
        return False
    owner: Any = None
    for each in dis.get_instructions(code):
        # "self.session = ..." may be a client of the package "requests".
        if (each.opname, each.argval) == ("STORE_ATTR", "session") and owner != "self":
            return True
        # Python 3.13 loads two variables with one instruction.
        owner = each.argval[-1] if isinstance(each.argval, tuple) else each.argval
    return False
