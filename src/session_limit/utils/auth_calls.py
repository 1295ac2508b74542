"""Find out which function of ``django.contrib.auth`` is running."""

from __future__ import annotations

import sys
from types import FrameType

from django.contrib import auth

LOGIN = frozenset({"login", "alogin"})
LOGOUT = frozenset({"logout", "alogout"})


def caller() -> str:
    """
    Return the name of the function that called the function that calls this one.

    Return ``""`` unless that function belongs to ``django.contrib.auth``.
    """
    # Django's login() and logout() flush the session in the same way. Only the caller
    # tells them apart: other code sends the signal of logout() without flushing.
    return _name(sys._getframe(2))  # noqa: SLF001


def is_in(names: frozenset[str]) -> bool:
    """Return whether one of these functions of ``django.contrib.auth`` is running."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001
    while frame is not None:
        if _name(frame) in names:
            return True
        frame = frame.f_back
    return False


def _name(frame: FrameType) -> str:
    is_auth = frame.f_globals.get("__name__") == auth.__name__
    return frame.f_code.co_name if is_auth else ""
