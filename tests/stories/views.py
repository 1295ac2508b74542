"""Define the views of the stories' project, in a sync and an async version."""

from __future__ import annotations

from datetime import timedelta

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    alogin,
    alogout,
    aupdate_session_auth_hash,
    get_user_model,
    login,
    logout,
)
from django.contrib.auth.decorators import login_required
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.contrib.messages import get_messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import (
    Http404,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import redirect
from django.utils.html import conditional_escape
from django.views.decorators.http import require_POST

BACKEND = "django.contrib.auth.backends.ModelBackend"


@login_required
def members(request):
    return HttpResponse(f"Hello {request.user.get_username()}.")


@login_required
async def members_async(request):
    user = await request.auser()
    return HttpResponse(f"Hello {user.get_username()}.")


async def write_async(request):
    n = await request.session.aget("writes", 0) + 1
    await request.session.aset("writes", n)
    user = await request.auser()
    name = user.get_username() if user.is_authenticated else None
    return JsonResponse({"user": name, "n": n})


@require_POST
async def sign_out_async(request):
    await alogout(request)
    return HttpResponseRedirect("/")


@require_POST
async def password_async(request):
    user = await request.auser()
    user.set_password(request.POST["new_password1"])
    await user.asave()
    request.user = user  # Django 5.2 compares this one
    await aupdate_session_auth_hash(request, user)
    return HttpResponseRedirect("/")


def show_messages(request):
    """Show the messages, escaped as in a page, to any visitor."""
    shown = [conditional_escape(each.message) for each in get_messages(request)]
    return JsonResponse(shown, safe=False)


def say(request):
    """Add messages, and show the first ones if the request has ``?show``."""
    assert request.user.is_authenticated
    messages.success(request, "Saved.")
    shown = (
        [str(each) for each in get_messages(request)] if "show" in request.GET else []
    )
    messages.success(request, "Sent.")
    return HttpResponse(", ".join(shown))


# The results of the acts of a request
seen = []


@require_POST
def play(request):
    """Do the ``acts`` of the form one after another, and return their results."""
    for act in request.POST["acts"].split():
        name, _, argument = act.partition(":")
        if name == "missing":
            raise Http404
        if name == "unavailable":
            return HttpResponse(status=503)
        seen.append(ACTS[name](request, *filter(None, [argument])))
    answer = [each for each in seen if each is not None]
    return JsonResponse(answer, safe=False)


@require_POST
async def play_async(request):
    for act in request.POST["acts"].split():
        name, _, argument = act.partition(":")
        arguments = filter(None, [argument])
        if name == "unavailable":
            return HttpResponse(status=503)
        if name in ASYNC_ACTS:
            seen.append(await ASYNC_ACTS[name](request, *arguments))
        else:
            seen.append(await sync_to_async(ACTS[name])(request, *arguments))
    answer = [each for each in seen if each is not None]
    return JsonResponse(answer, safe=False)


def _sign_in(request, name):
    user = get_user_model()._default_manager.get_by_natural_key(name)
    try:
        login(request, user, backend=BACKEND)
    except PermissionDenied:
        return "refused"


async def _sign_in_async(request, name):
    manager = get_user_model()._default_manager
    user = await sync_to_async(manager.get_by_natural_key)(name)
    try:
        await alogin(request, user, backend=BACKEND)
    except PermissionDenied:
        return "refused"


def _break(request, name):
    """Let ``login()`` raise an error after it has flushed the session."""
    user = get_user_model()._default_manager.get_by_natural_key(name)
    try:
        login(request, user, backend=1)
    except TypeError:
        return "broken"


async def _break_async(request, name):
    manager = get_user_model()._default_manager
    user = await sync_to_async(manager.get_by_natural_key)(name)
    try:
        await alogin(request, user, backend=1)
    except TypeError:
        return "broken"


def _announce(request, name):
    """Send the signal of ``login()`` as views do that give out tokens."""
    user = get_user_model()._default_manager.get_by_natural_key(name)
    user_logged_in.send(type(user), request=request, user=user)


async def _announce_async(request, name):
    manager = get_user_model()._default_manager
    user = await sync_to_async(manager.get_by_natural_key)(name)
    await user_logged_in.asend(type(user), request=request, user=user)


def _withdraw(request):
    """Send the signal of ``logout()`` as views do that withdraw a token."""
    user_logged_out.send(type(request.user), request=request, user=request.user)


async def _withdraw_async(request):
    user = await request.auser()
    await user_logged_out.asend(type(user), request=request, user=user)


async def _who_async(request):
    return (await request.auser()).get_username() or None


def _current(request):
    current = request.session_limit.current
    return current and current.pk.hex


def _write(request):
    request.session["writes"] = request.session.get("writes", 0) + 1


ACTS = {
    "login": _sign_in,
    "break": _break,
    "announce": _announce,
    "withdraw": _withdraw,
    "logout": logout,
    "who": lambda request: request.user.get_username() or None,
    "current": _current,
    "write": _write,
    "save": lambda request: request.session.save(),
    "flush": lambda request: request.session.flush(),
    "clear": lambda request: request.session.clear(),
    "cycle": lambda request: request.session.cycle_key(),
    "meanwhile": lambda request: happen(),
    "rollback": lambda request: transaction.set_rollback(True),
}
ASYNC_ACTS = {
    "login": _sign_in_async,
    "break": _break_async,
    "announce": _announce_async,
    "withdraw": _withdraw_async,
    "logout": alogout,
    "who": _who_async,
    "save": lambda request: request.session.asave(),
    "flush": lambda request: request.session.aflush(),
    "cycle": lambda request: request.session.acycle_key(),
}


def silent(request):
    """Sign in on GET without a form, as single sign-on does in a frame."""
    user = get_user_model()._default_manager.get_by_natural_key("ada")
    login(request, user, backend=BACKEND)
    return redirect("/")


@require_POST
def by_hand(request):
    """Write the keys of a sign-in without calling ``login()``, as some projects do."""
    user = get_user_model()._default_manager.get_by_natural_key(request.POST["name"])
    request.session[SESSION_KEY] = user._meta.pk.value_to_string(user)
    request.session[BACKEND_SESSION_KEY] = BACKEND
    request.session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    return redirect("/")


def cart(request):
    """Keep something in the session of any visitor."""
    if request.method == "POST":
        request.session["cart"] = request.POST["cart"]
    return JsonResponse({"cart": request.session.get("cart")})


def flush(request):
    request.session.flush()
    return HttpResponse("Flushed.")


async def flush_async(request):
    await request.session.aflush()
    return HttpResponse("Flushed.")


def clear(request):
    request.session.clear()
    return HttpResponse("Cleared.")


def clear_and_write(request):
    assert request.user.is_authenticated
    request.session.clear()
    request.session["language"] = "fr"
    return HttpResponse("Cleared.")


def overwrite_id(request):
    """Delete the package's id, as code does that keeps only the keys it knows."""
    for key in set(request.session.keys()) - {
        SESSION_KEY,
        BACKEND_SESSION_KEY,
        HASH_SESSION_KEY,
    }:
        del request.session[key]
    request.session["cart"] = "tea"
    return HttpResponse("Overwritten.")


def cycle(request):
    request.session.cycle_key()
    return HttpResponse("Cycled.")


async def cycle_async(request):
    await request.session.acycle_key()
    return HttpResponse("Cycled.")


def expire(request):
    """Change the expiry of the session."""
    request.session.set_expiry(int(request.GET["seconds"]))
    return HttpResponse("Set.")


async def expire_async(request):
    await request.session.aset_expiry(int(request.GET["seconds"]))
    return HttpResponse("Set.")


def forbidden(request):
    """Answer 403 to every person of the stories."""
    allowed = request.user.get_username() == "root"
    return HttpResponse("Not for you.", status=200 if allowed else 403)


def api(request):
    if not request.user.is_authenticated:
        return JsonResponse({"detail": "Who are you?"}, status=401)
    return JsonResponse({"user": request.user.get_username()})


def facade(request):
    current, ended = request.session_limit.current, request.session_limit.ended
    return JsonResponse(
        {
            "current": current and current.pk.hex,
            "ended": ended and ended.ended_reason,
            "others": sorted(row.device for row in request.session_limit.others),
        }
    )


async def facade_async(request):
    current = await request.session_limit.acurrent()
    ended = await request.session_limit.aended()
    others = await request.session_limit.aothers()
    return JsonResponse(
        {
            "current": current and current.pk.hex,
            "ended": ended and ended.ended_reason,
            "others": sorted([row.device async for row in others]),
        }
    )


# Functions that run during a request that has read its session
meanwhile = []


def happen():
    while meanwhile:
        meanwhile.pop(0)()


def interrupted(request):
    """Read the session, run ``meanwhile``, and then write to the session."""
    n = request.session.get("writes", 0) + 1
    user = request.user.get_username()
    happen()
    request.session["writes"] = n
    return JsonResponse({"user": user, "n": n})


async def interrupted_async(request):
    n = await request.session.aget("writes", 0) + 1
    user = (await request.auser()).get_username()
    await sync_to_async(happen)()
    await request.session.aset("writes", n)
    return JsonResponse({"user": user, "n": n})


def waiting(request):
    """Read the user, run ``meanwhile``, and then answer with a page."""
    user = request.user.get_username()
    happen()
    return HttpResponse(user)


async def waiting_async(request):
    user = (await request.auser()).get_username()
    await sync_to_async(happen)()
    return HttpResponse(user)


def rotated(request):
    """Read the session, run ``meanwhile``, and then rotate the session's key."""
    request.session.get("writes")
    happen()
    request.session.cycle_key()
    request.session["writes"] = 1
    return HttpResponse("Rotated.")


async def rotated_async(request):
    await request.session.aget("writes")
    await sync_to_async(happen)()
    await request.session.acycle_key()
    await request.session.aset("writes", 1)
    return HttpResponse("Rotated.")


@require_POST
def remember_me(request):
    user = get_user_model()._default_manager.get_by_natural_key(request.POST["name"])
    login(request, user, backend=BACKEND)
    request.session.set_expiry(timedelta(days=60))
    return HttpResponse("Welcome.")


@require_POST
def sign_in_then_fail(request):
    user = get_user_model()._default_manager.get_by_natural_key(request.POST["name"])
    login(request, user, backend=BACKEND)
    raise ZeroDivisionError


@require_POST
def sign_in_and_swallow(request):
    """Sign in, and redirect after a ``PermissionDenied``, as some libraries do."""
    user = get_user_model()._default_manager.get_by_natural_key(request.POST["name"])
    try:
        login(request, user, backend=BACKEND)
    except PermissionDenied:
        return redirect("/")
    return HttpResponse("Signed in.")


@require_POST
async def sign_in_and_swallow_async(request):
    manager = get_user_model()._default_manager
    user = await sync_to_async(manager.get_by_natural_key)(request.POST["name"])
    try:
        await alogin(request, user, backend=BACKEND)
    except PermissionDenied:
        return redirect("/")
    return HttpResponse("Signed in.")


# The error of a sign-in in the body of a streaming response, and the user's name
raised = []


def _body(request):
    yield "Signing in"
    try:
        raised.append(_sign_in(request, "ada"))
    except RuntimeError as error:
        raised.append(error)
    raised.append(request.user.get_username() or None)
    yield "."


async def _body_async(request):
    yield "Signing in"
    try:
        raised.append(await _sign_in_async(request, "ada"))
    except RuntimeError as error:
        raised.append(error)
    raised.append(await _who_async(request))
    yield "."


def stream(request):
    """Sign in while the body is sent, which is too late to set a cookie."""
    if "read" in request.GET:
        request.session.get("writes")
    return StreamingHttpResponse(_body(request))


async def stream_async(request):
    if "read" in request.GET:
        await request.session.aget("writes")
    return StreamingHttpResponse(_body_async(request))


def stream_signing_in_before(request):
    _sign_in(request, "ada")
    return StreamingHttpResponse(iter(["Signed in."]))


async def stream_signing_in_before_async(request):
    await _sign_in_async(request, "ada")
    return StreamingHttpResponse(iter(["Signed in."]))
