"""Tell ASGI applications from WSGI applications by the arguments that they take."""

from __future__ import annotations

import inspect
from typing import Any

ASGI, WSGI = ("scope", "receive", "send"), ("environ", "start_response")


def require_application(
    application: Any, arguments: tuple[str, ...], hint: str
) -> None:
    """
    Raise ``TypeError`` if an application cannot be called with ``arguments``.

    ``arguments`` is ``ASGI`` or ``WSGI``. ``hint`` is the sentence of the error message
    that says what to do.
    """
    if not callable(application):
        problem = "cannot be called"
    elif not _takes(application, arguments):
        other, name = (WSGI, "a WSGI") if arguments is ASGI else (ASGI, "an ASGI")
        problem = f"does not take the arguments ({', '.join(arguments)})"
        if _takes(application, other):
            problem = f"is {name} application, which takes ({', '.join(other)})"
        elif _takes(application, ()):
            problem += ". Call it to get the application"
    else:
        return
    raise TypeError(f"{_name(application)} {problem}. {hint}")


def _takes(application: Any, arguments: tuple[str, ...]) -> bool:
    try:
        inspect.signature(application).bind(*arguments)
    except TypeError:
        return False
    except ValueError:  # an application that is written in C
        return True
    return True


def _name(application: Any) -> str:
    if isinstance(application, str):
        return repr(application)
    named = application if hasattr(application, "__qualname__") else type(application)
    return f"{named.__module__}.{named.__qualname__}"
