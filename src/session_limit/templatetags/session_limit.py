"""
``{% load session_limit %}``: what a project's templates may say of sessions, and how
ours say it. Each tag finds the request in the context, and says nothing where there is
nothing to say: outside a request, without our middleware, to an anonymous visitor.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

from django import template
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.middleware.csrf import get_token
from django.template import Context
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _

from session_limit import registry
from session_limit.client.device import device_label
from session_limit.conf import conf
from session_limit.models import UserSession
from session_limit.pages import durations, links, messages
from session_limit.pages.overview import usage
from session_limit.store.request import GuardedRequest
from session_limit.store.state import state_of
from session_limit.utils.safe_redirects import own_address

WATCH_MODES = ("overlay", "redirect", "event")

register = template.Library()


@register.simple_tag
def session_limit_style() -> str:
    """
    Link the style of our pages. Nothing where the project serves no static files, or
    has not collected this one: a page without its style still says what it has to.
    """
    address = _static("session_limit.css")
    return format_html('<link rel="stylesheet" href="{}">', address) if address else ""


@register.inclusion_tag("session_limit/tags/watch.html", takes_context=True)
def session_limit_watch(context: Context, mode: str = "overlay") -> dict[str, Any]:
    """
    Have the page learn at once that its session is over. ``mode``: ``"overlay"`` says
    so in a dialog, ``"redirect"`` leads to the page that says why, ``"event"`` leaves
    it to the project's own code. Raises ``ValueError`` for another.
    """
    if mode not in WATCH_MODES:
        raise ValueError(f"mode is one of {', '.join(WATCH_MODES)}, not {mode!r}")
    request, status_url = _signed_in_request(context), links.status_url()
    state = state_of(request)
    if request is None or state is None or state.row is None or status_url is None:
        return {}
    return {
        **_script(context, request, "watch.js"),
        "session": state.row.id,
        "mode": mode,
        "status_url": status_url,
        "events_url": links.events_url(),
        "ended_url": links.ended_url(),
    }


@register.inclusion_tag("session_limit/tags/play.html", takes_context=True)
def session_limit_play(context: Context) -> dict[str, Any]:
    """
    Have what plays on the page, in elements with ``data-session-limit-play``, take one
    of the account's places. Nothing where the project counts no plays.
    """
    request = _signed_in_request(context) if conf.uses_plays() else None
    plays_url = links.plays_url()
    if request is None or plays_url is None:
        return {}
    return {
        **_script(context, request, "play.js"),
        "clock": _static("clock.js"),
        "plays_url": plays_url,
        "token": get_token(request),
        "cookie": settings.CSRF_COOKIE_NAME,
    }


@register.inclusion_tag("session_limit/tags/usage.html", takes_context=True)
def session_limit_usage(context: Context) -> dict[str, Any]:
    """Say "Signed in on 2 of 3 devices"."""
    request = _request(context)
    if request is None or (current := request.session_limit.current) is None:
        return {}
    count, in_use = usage(current)
    if not current.counted:
        return {"limit": None, "in_use": count}
    limit = registry.limit_of(request.user, current.scope)  # type: ignore[arg-type]
    return {"limit": limit, "in_use": in_use}


@register.inclusion_tag("session_limit/tags/ended.html", takes_context=True)
def session_limit_ended(context: Context) -> dict[str, Any]:
    """Say why this browser is signed out, and link to where it may sign in again."""
    request = _request_with_cookie(context)
    if request is None or (session := request.session_limit.ended) is None:
        return {}
    sign_in_url = links.sign_in_url(own_address(request))
    return {"told": messages.ended(session), "sign_in_url": sign_in_url}


@register.inclusion_tag("session_limit/tags/last_sign_in.html", takes_context=True)
def session_limit_last_sign_in(context: Context) -> dict[str, Any]:
    """Say when and with what the account was signed in before this sign-in."""
    request = _request(context)
    if request is None or (current := request.session_limit.current) is None:
        return {}
    # Nobody knows when one that was adopted was signed in.
    rows = UserSession.objects.primary().filter(
        user_id=current.user_id, created_at__lt=current.created_at, adopted=False
    )
    if (session := rows.order_by("-created_at").first()) is None:
        return {}
    device = format_html("<bdi>{}</bdi>", device_label(session.device))
    return {"session": session, "device": device if session.device else ""}


@register.filter
def session_limit_device(session: UserSession) -> str:
    """Return the device's name, in the reader's language."""
    return device_label(session.device)


@register.filter
def session_limit_active(session: UserSession) -> str:
    """Say, rounded, when it was last active: "Active 12 minutes ago"."""
    ago = timezone.now() - session.last_active_at
    text = durations.active(ago, unrecorded=conf.touch_interval)
    return _time(session.last_active_at, text)


@register.filter
def session_limit_when(moment: datetime) -> str:
    """Say when, by the clock of the current time zone, which is named."""
    local = _local(moment)
    is_this_year = local.year == _local(timezone.now()).year
    date = date_format(local, "MONTH_DAY_FORMAT" if is_this_year else "DATE_FORMAT")
    time, zone = date_format(local, "TIME_FORMAT"), date_format(local, "T")
    # Translators: "November 23, 14:32 UTC".
    text = _("%(date)s, %(time)s %(zone)s")
    return text % {"date": date, "time": time, "zone": zone}


@register.filter
def session_limit_time(moment: datetime) -> str:
    """Mark ``session_limit_when`` up, so that a machine can tell it too."""
    return _time(moment, session_limit_when(moment))


def _script(context: Context, request: GuardedRequest, name: str) -> dict[str, Any]:
    return {
        "script": _static(name),
        "shared": _static("shared.js"),
        "style": _static("session_limit.css"),
        # Not asked whether it is true: Django 6.0's is not, until it has been used.
        "nonce": context.get("csp_nonce", getattr(request, "csp_nonce", None)),
    }


def _static(name: str) -> str:
    try:
        return static(f"session_limit/{name}") if settings.STATIC_URL else ""
    except (ImproperlyConfigured, ValueError):
        return ""


def _request(context: Context) -> GuardedRequest | None:
    """Return the request, if it is one that our middleware has guarded."""
    request = getattr(context, "request", None) or context.get("request")
    is_guarded = hasattr(request, "session_limit")
    return cast("GuardedRequest", request) if is_guarded else None


def _request_with_cookie(context: Context) -> GuardedRequest | None:
    """
    Return the request, if it came with a session's cookie: without one there is nothing
    to read, and no reason to vary by it.
    """
    request = _request(context)
    state = state_of(request)
    return request if state is not None and state.presented_key is not None else None


def _signed_in_request(context: Context) -> GuardedRequest | None:
    """Return the request, if it is that of a live session."""
    request = _request_with_cookie(context)
    if request is None:
        return None
    request.session.keys()  # loads it
    state = state_of(request)
    return request if state is not None and state.row is not None else None


def _time(moment: datetime, text: str) -> str:
    utc = _local(moment).astimezone(UTC).isoformat()
    return format_html('<time datetime="{}">{}</time>', utc, text)


def _local(moment: datetime) -> datetime:
    # Without USE_TZ, moments are the project's own zone's and do not say so.
    if timezone.is_naive(moment):
        return timezone.make_aware(moment, timezone.get_default_timezone())
    return timezone.localtime(moment)
