"""
Notify the owner of an account about sign-ins from new browsers.

The account's other sessions show a message, and the owner gets an email. Both name the
device and the time, and never an IP address or a location.
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

from session_limit.client import request_kind
from session_limit.client.device import device_label
from session_limit.conf import NewSignIn, conf
from session_limit.models import UserSession
from session_limit.pages import links
from session_limit.pages.next_steps import Step, next_steps
from session_limit.pages.rendering import render
from session_limit.registry.activity import mark_notified
from session_limit.store.liveness import Row
from session_limit.store.users import email_of
from session_limit.utils.clock import as_utc, utc_now

# An account that signs in more often within an hour probably belongs to a script, and
# emails about all of its sign-ins would be useless.
MAX_SIGN_INS = 20
HOUR = timedelta(hours=1)

_STEPS = frozenset({Step.SEE_DEVICES, Step.SECURE_ACCOUNT})


def can_leave_message(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Return whether a person will see a Django message added to ``response``."""
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
    Add a Django message about a new sign-in to the next page of an older session.

    ``row`` describes the older session. Does nothing if that session has already shown
    the message, or if another request has just added the message.
    """
    if row.notice is None or not mark_notified(row.id, row.notice):
        return
    rows = UserSession.objects.primary()
    newer = rows.filter(pk=row.notice).first()
    if newer is None:
        return  # The newer session has been pruned.
    url = next((step.url for step in next_steps(_STEPS)), None)
    context = {**_context(newer), "url": url}
    # Without the request: the middleware of a context processor may have finished.
    text = render("session_limit/new_sign_in_message.html", context)
    messages.info(request, text)
    # MessageMiddleware runs inside ours, and has stored the messages already.
    cast("BaseStorage", messages.get_messages(request)).update(response)


def mail_new_sign_in(
    sender: object,
    session: UserSession,
    request: HttpRequest,
    is_new_browser: bool,
    **kwargs: Any,
) -> None:
    """
    Email the account's owner about a sign-in from a new browser, if enabled.

    The setting ``SESSION_LIMIT_NEW_SIGN_IN`` enables these emails. The email is sent
    during the request that signs in. A project with a slow mail server should use an
    email backend with a queue.
    """
    if conf.new_sign_in is not NewSignIn.MAIL or not is_new_browser:
        return
    user = session.user
    address = email_of(user)
    if not address or not _is_news(session):
        return
    steps = next_steps(_STEPS | {Step.SUPPORT})
    urls = {step.kind: request.build_absolute_uri(str(step.url)) for step in steps}
    context = {
        **_context(session),
        "url": urls.get(Step.SEE_DEVICES),
        "secure_account_url": urls.get(Step.SECURE_ACCOUNT),
        "support_url": urls.get(Step.SUPPORT),
        "user": user,
        "host": request.get_host(),
    }
    subject, text, html = (
        render(f"session_limit/mail/{name}", context)
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
    Return whether the account's owner would want to know about this sign-in.

    The first sign-in of a new account and sign-ins by a script are not worth an email.
    """
    rows = UserSession.objects.primary().for_user(session.user)
    earlier = rows.exclude(pk=session.pk).order_by("-created_at")
    times = list(earlier.values_list("created_at", flat=True)[:MAX_SIGN_INS])
    now = utc_now()
    if not times:
        # The earlier sessions of an old account may have been pruned.
        joined = getattr(session.user, "date_joined", None)
        return joined is not None and as_utc(joined) <= now - conf.retention
    return len(times) < MAX_SIGN_INS or times[-1] <= now - HOUR


def _context(session: UserSession) -> dict[str, Any]:
    return {"session": session, "device": device_label(session.device)}
