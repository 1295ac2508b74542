"""
Template tags and filters about sessions, loaded by ``{% load session_limit %}``.

The tags need the request in the template's context. A tag renders nothing if there is
no request, if the request did not pass through ``SessionLimitMiddleware``, or if there
is nothing to show.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from django import template
from django.conf import settings
from django.middleware.csrf import get_token
from django.template import Context
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _

from session_limit import registry
from session_limit.client.device import device_label
from session_limit.conf import conf
from session_limit.models import UserSession
from session_limit.pages import durations, endings, links
from session_limit.pages.next_steps import LABELS, Step, next_steps
from session_limit.pages.overview import usage
from session_limit.pages.static_files import static_url
from session_limit.request import GuardedRequest
from session_limit.store.state import state_of
from session_limit.utils.clock import as_utc, local, utc_now
from session_limit.utils.safe_redirects import own_address

WATCH_MODES = ("overlay", "redirect", "event")

register = template.Library()


@register.simple_tag
def session_limit_style() -> str:
    """
    Render a ``<link>`` element for the style sheet of the package's pages.

    The tag renders nothing if the project has not collected the style sheet. The pages
    are readable without styles.
    """
    address = static_url("session_limit.css")
    return format_html('<link rel="stylesheet" href="{}">', address) if address else ""


@register.inclusion_tag("session_limit/tags/watch.html", takes_context=True)
def session_limit_watch(context: Context, mode: str = "overlay") -> dict[str, Any]:
    """
    Render a script that reacts immediately when the session of an open page ends.

    ``mode`` selects the reaction. ``"overlay"`` shows a dialog. ``"redirect"`` opens
    the page that explains why the session ended. ``"event"`` leaves the reaction to the
    project's own script. Raises ``ValueError`` for any other mode.
    """
    if mode not in WATCH_MODES:
        raise ValueError(f"mode is one of {', '.join(WATCH_MODES)}, not {mode!r}")
    request, status_url = _signed_in_request(context), links.url_of(links.STATUS_VIEW)
    state = state_of(request)
    if request is None or state is None or state.row is None or status_url is None:
        return {}
    return {
        **_script(context, request, "watch.js"),
        "session": state.row.id,
        "mode": mode,
        "status_url": status_url,
        "events_url": links.url_of(links.EVENTS_VIEW),
        "ended_url": links.url_of(links.ENDED_VIEW),
        "sign_in": LABELS[Step.SIGN_IN],
    }


@register.inclusion_tag("session_limit/tags/play.html", takes_context=True)
def session_limit_play(context: Context) -> dict[str, Any]:
    """
    Render the script that limits how much content an account plays at the same time.

    HTML elements with the attribute ``data-session-limit-play`` then start plays, which
    count towards the account's limit. The tag renders nothing if the project does not
    set ``SESSION_LIMIT_PLAYS``.
    """
    request = _signed_in_request(context) if conf.uses_plays() else None
    plays_url = links.url_of(links.PLAYS_VIEW)
    if request is None or plays_url is None:
        return {}
    return {
        **_script(context, request, "play.js"),
        "clock": static_url("clock.js"),
        "plays_url": plays_url,
        "watch": LABELS[Step.WATCH_HERE],
        "token": get_token(request),
        "cookie": settings.CSRF_COOKIE_NAME,
    }


@register.inclusion_tag("session_limit/tags/usage.html", takes_context=True)
def session_limit_usage(context: Context) -> dict[str, Any]:
    """Render how many devices are signed in, as in "Signed in on 2 of 3 devices"."""
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
    """Render why this browser was signed out, with a link to the next step."""
    request = _request_with_cookie(context)
    if request is None or (session := request.session_limit.ended) is None:
        return {}
    message = endings.ended_session(session)
    sign_in_url = links.sign_in_url(request, own_address(request))
    step = next_steps(message.steps, sign_in_url)[0]
    return {"told": message, "sign_in_url": sign_in_url, "step": step}


@register.inclusion_tag("session_limit/tags/last_sign_in.html", takes_context=True)
def session_limit_last_sign_in(context: Context) -> dict[str, Any]:
    """Render the time and the device of the account's previous sign-in."""
    request = _request(context)
    if request is None or (current := request.session_limit.current) is None:
        return {}
    # An adopted session began before this package was installed, at an unknown time.
    rows = UserSession.objects.primary().filter(
        user_id=current.user_id, created_at__lt=current.created_at, adopted=False
    )
    if (session := rows.order_by("-created_at").first()) is None:
        return {}
    device = format_html("<bdi>{}</bdi>", device_label(session.device))
    return {"session": session, "device": device if session.device else ""}


@register.filter
def session_limit_device(session: UserSession) -> str:
    """Return the name of the session's device in the active language."""
    return device_label(session.device)


@register.filter
def session_limit_active(session: UserSession) -> str:
    """Return HTML for the session's last activity, as in "Active 12 minutes ago"."""
    ago = utc_now() - session.last_active_at
    text = durations.active(ago, unrecorded=conf.touch_interval)
    return _time(session.last_active_at, text)


@register.filter
def session_limit_when(moment: datetime) -> str:
    """Return a local date and time as text, such as "November 23, 14:32 UTC"."""
    shown = local(moment)
    is_this_year = shown.year == local(utc_now()).year
    date = date_format(shown, "MONTH_DAY_FORMAT" if is_this_year else "DATE_FORMAT")
    time, zone = date_format(shown, "TIME_FORMAT"), session_limit_zone(moment)
    # Translators: for example "November 23, 14:32 UTC".
    text = _("%(date)s, %(time)s %(zone)s")
    return text % {"date": date, "time": time, "zone": zone}


@register.filter
def session_limit_local(moment: datetime) -> datetime:
    """
    Return ``moment`` in the time zone in which the project shows times.

    Django's filters ``date`` and ``time`` convert times themselves if ``USE_TZ`` is
    true. If ``USE_TZ`` is false, they would show the UTC times of the package's models.
    """
    return local(moment)


@register.filter
def session_limit_zone(moment: datetime) -> str:
    """
    Return the name of the time zone in which ``moment`` is shown, such as "EST".

    Django's format "T" is empty in the hour after clocks were put back, when only the
    name distinguishes a time from the same time an hour earlier.
    """
    return str(local(moment).tzname())


@register.filter
def session_limit_time(moment: datetime) -> str:
    """Return a ``<time>`` element that shows the local date and time of ``moment``."""
    return _time(moment, session_limit_when(moment))


def _script(context: Context, request: GuardedRequest, name: str) -> dict[str, Any]:
    return {
        "script": static_url(name),
        "shared": static_url("shared.js"),
        "style": static_url("session_limit.css"),
        # Templates compare this with None, because Django 6.0's nonce is false until it
        # has been used.
        "nonce": context.get("csp_nonce", getattr(request, "csp_nonce", None)),
    }


def _request(context: Context) -> GuardedRequest | None:
    """Return the request, or ``None`` if it bypassed ``SessionLimitMiddleware``."""
    request = getattr(context, "request", None) or context.get("request")
    is_guarded = hasattr(request, "session_limit")
    return cast("GuardedRequest", request) if is_guarded else None


def _request_with_cookie(context: Context) -> GuardedRequest | None:
    """
    Return the template's request, or ``None`` if it has no session cookie.

    Reading the session adds ``Vary: Cookie`` to the response. Tags that call this
    function first do not add the header for requests without a cookie.
    """
    request = _request(context)
    state = state_of(request)
    return request if state is not None and state.presented_key is not None else None


def _signed_in_request(context: Context) -> GuardedRequest | None:
    """Return the template's request, or ``None`` if the request has no live session."""
    request = _request_with_cookie(context)
    if request is None:
        return None
    request.session.keys()  # loads the session
    state = state_of(request)
    return request if state is not None and state.row is not None else None


def _time(moment: datetime, text: str) -> str:
    utc = as_utc(moment).isoformat()
    return format_html('<time datetime="{}">{}</time>', utc, text)
