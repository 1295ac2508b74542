"""
A sign-in from a browser that its user had not signed in with: told to the account's
other sessions as a message, and by mail. Device and time; never address or place.
"""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Any, cast

from django.contrib import messages
from django.contrib.messages.storage.base import BaseStorage
from django.core.mail import EmailMultiAlternatives
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.utils import timezone

from session_limit import registry
from session_limit.client import request_kind
from session_limit.client.device import device_label
from session_limit.conf import NewSignIn, conf
from session_limit.models import UserSession
from session_limit.pages import links
from session_limit.store.queries import Row

# An account that signs in more often than this within an hour is a script's: a mail
# about each would tell nobody anything.
MAX_SIGN_INS = 20
HOUR = timedelta(hours=1)


def can_leave_message(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Whether a person will see a message that is left with ``response``."""
    status = response.status_code
    is_page = HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES and (
        response.headers.get("Content-Type", "").startswith("text/html")
    )
    return (
        hasattr(request, "_messages")
        and request_kind.is_acted_on(request)
        and (is_page or status in links.REDIRECTS)
    )


def leave_message(request: HttpRequest, response: HttpResponseBase, row: Row) -> None:
    """
    Leave a message about the sign-in that the session with this ``row`` has not been
    told of, for the next page that shows any.
    """
    if row.notice is None or not registry.mark_notified(row.id, row.notice):
        return
    rows = UserSession.objects.primary()
    newer = rows.filter(pk=row.notice).first()
    if newer is None:
        return  # so old that it has been pruned
    context = {
        **_context(newer),
        "url": links.url_of(links.LIST_VIEW) or conf.secure_account_url,
    }
    text = render_to_string("session_limit/new_sign_in_message.html", context, request)
    messages.info(request, text)
    # Again: MessageMiddleware, further in, has stored what there was before.
    cast("BaseStorage", messages.get_messages(request)).update(response)


def mail_new_sign_in(
    sender: object,
    session: UserSession,
    request: HttpRequest,
    is_new_browser: bool,
    **kwargs: Any,
) -> None:
    """
    Mail the account's owner, where that is set. In the sign-in's request: what takes
    long belongs into a receiver of the project's own, or an email backend that queues.
    """
    if conf.new_sign_in is not NewSignIn.MAIL or not is_new_browser:
        return
    user = session.user
    address = getattr(user, user.get_email_field_name(), None)
    if not address or not _is_news(session):
        return
    absolute = request.build_absolute_uri
    urls = {
        "url": links.url_of(links.LIST_VIEW),
        "secure_account_url": conf.secure_account_url,
        "support_url": conf.support_url,
    }
    context = {
        **_context(session),
        **{name: absolute(str(url)) if url else None for name, url in urls.items()},
        "user": user,
        "host": request.get_host(),
    }
    subject, text, html = (
        render_to_string(f"session_limit/mail/{name}", context)
        for name in ("new_sign_in_subject.txt", "new_sign_in.txt", "new_sign_in.html")
    )
    mail = EmailMultiAlternatives(
        subject=" ".join(subject.split()),
        body=text,
        to=[address],
        headers={"Auto-Submitted": "auto-generated"},
    )
    mail.attach_alternative(html, "text/html")
    mail.send()


def _is_news(session: UserSession) -> bool:
    """
    Whether its owner would want to know. Not of the account's first sign-in; one that
    is older than what is kept of its sessions may have signed in before.
    """
    rows = UserSession.objects.primary().for_user(session.user)
    earlier = rows.exclude(pk=session.pk).order_by("-created_at")
    times = list(earlier.values_list("created_at", flat=True)[:MAX_SIGN_INS])
    now = timezone.now()
    if not times:
        joined = getattr(session.user, "date_joined", None)
        return joined is not None and joined <= now - conf.retention
    return len(times) < MAX_SIGN_INS or times[-1] <= now - HOUR


def _context(session: UserSession) -> dict[str, Any]:
    return {"session": session, "device": device_label(session.device)}
