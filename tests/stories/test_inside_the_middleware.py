"""A page in place of a view's response is rendered inside the project's middleware."""

from __future__ import annotations

import logging
import re
from unittest import mock

import pytest
from asgiref.sync import iscoroutinefunction
from django.conf import settings as django_settings
from django.contrib import messages
from django.contrib.auth import get_user_model, login
from django.contrib.auth.signals import user_logged_in
from django.contrib.messages import get_messages
from django.core.exceptions import PermissionDenied
from django.db import connections
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.test import RequestFactory
from django.urls import path, reverse

from session_limit.middleware import SessionLimitMiddleware
from session_limit.models import UserSession
from session_limit.signals import limit_reached
from tests import stores
from tests.stories import middleware
from tests.stories import views as stories_views
from tests.stories.people import JSON, PASSWORD, SIGNED_IN, events, set_cookie
from tests.stories.urls import urlpatterns as project_urls
from tests.stories.views import BACKEND

LAYOUT = """{% load session_limit %}<html lang="en"><title>Site</title>
<script nonce="{{ request.csp_nonce }}"></script>
{% for message in messages %}<p class="message">{{ message }}</p>{% endfor %}
<form action="/login/" method="post">{% csrf_token %}</form>
<b>{{ user.get_username }}</b>
{% block content %}{% endblock %}
<footer>Site</footer></html>"""

PAGE = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}

# What the views of this module have done
calls = []


def closed():
    calls.append("closed")


def kept_out(request):
    """Say something, and keep every visitor of this story out."""
    calls.append(request.method)
    assert not request.user.is_authenticated
    messages.error(request, "Please sign in first.")
    response = redirect("/login/?next=/")
    response.set_cookie("django_language", "de")
    response.delete_cookie("step")
    return response


def streamed(request):
    calls.append(request.method)
    assert not request.user.is_authenticated
    response = StreamingHttpResponse(iter(["Not for you."]), status=403)
    response._resource_closers.append(closed)
    return response


def noted(request):
    messages.info(request, "Noted.")
    return HttpResponse()


def consuming(request):
    """Show the messages on a page that is then replaced."""
    assert not request.user.is_authenticated
    return HttpResponse(", ".join(map(str, get_messages(request))), status=403)


def sign_in_and_tell(request):
    user = get_user_model()._default_manager.get_by_natural_key("ada")
    try:
        login(request, user, BACKEND)
    except PermissionDenied:
        messages.error(request, "That did not work.")
    return redirect("/")


urlpatterns = [
    *project_urls,
    path("kept-out/", kept_out),
    path("streamed/", streamed),
    path("noted/", noted),
    path("consuming/", consuming),
    path("sign-in-and-tell/", sign_in_and_tell),
]


@pytest.fixture(autouse=True)
def layout(settings, tmp_path):
    """Put the pages into the layout of a site."""
    (tmp_path / "session_limit").mkdir()
    (tmp_path / "session_limit/base.html").write_text('{% extends "site.html" %}')
    (tmp_path / "site.html").write_text(LAYOUT)
    [django] = settings.TEMPLATES
    settings.TEMPLATES = [{**django, "DIRS": [tmp_path, *django["DIRS"]]}]
    settings.ROOT_URLCONF = __name__
    calls.clear()
    middleware.seen.clear()
    return tmp_path / "site.html"


@pytest.fixture
def displaced(ada, laptop, phone):
    laptop.sign_in()
    phone.sign_in()
    return laptop


@pytest.fixture
def atomic_requests(monkeypatch):
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)


@pytest.fixture
def use(settings, laptop, phone, tablet):
    """Return a function that sets the middleware, also of clients that have begun."""

    def use(names):
        settings.MIDDLEWARE = names
        for visitor in (laptop, phone, tablet):
            visitor.client.handler._middleware_chain = None

    return use


@pytest.fixture
def below(settings, use):
    """Return a function that adds middleware below all other."""

    def below(*names):
        use([*settings.MIDDLEWARE, *(f"{middleware.HERE}.{name}" for name in names)])

    return below


def in_layout(response):
    return b"<footer>Site</footer>" in response.content


def allows_its_script(response):
    [nonce] = re.findall(r'nonce="([^"]*)"', response.content.decode())
    return bool(nonce) and f"'nonce-{nonce}'" in response["Content-Security-Policy"]


def shown(response):
    return re.findall(r'<p class="message">([^<]*)', response.content.decode())


def token(response):
    [found] = re.findall(
        r'csrfmiddlewaretoken" value="(\w+)', response.content.decode()
    )
    return found


# Nonces

POLICIES = pytest.mark.parametrize("policy", ["Policy", "StrictPolicy"])


@POLICIES
def test_the_ended_page_uses_the_nonce_of_its_header(displaced, policy, below):
    below(policy)
    response = displaced.open()
    assert response.status_code == 401
    assert in_layout(response)
    assert allows_its_script(response)


@POLICIES
def test_the_page_of_a_refusal_uses_the_nonce_of_its_header(
    ada, laptop, phone, settings, policy, below
):
    below(policy)
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop.sign_in()
    response = phone.sign_in()
    assert response.status_code == 403
    assert in_layout(response)
    assert allows_its_script(response)


@POLICIES
def test_the_choosers_pages_use_the_nonce_of_their_header(
    ada, laptop, phone, tablet, settings, policy, below
):
    below(policy)
    settings.SESSION_LIMIT_AT_LIMIT = "ask"
    laptop.sign_in()
    assert phone.sign_in().status_code == 303
    choose = reverse("session_limit:choose")
    question = phone.get(choose)
    assert allows_its_script(question)
    # In the meantime, another browser takes the place, so the choice makes no room.
    context = question.context_data
    choice = {"choice": context["choice"], "end": context["selected"]}
    laptop.sign_out()
    tablet.sign_in()
    again = phone.post(choose, choice)
    assert again.status_code == 409
    assert b"has been taken" in again.content
    assert in_layout(again)
    assert allows_its_script(again)
    assert phone.post(choose, {**choice, "cancel": "1", "choice": "x"}) is not None
    gone = tablet.get(choose)
    assert gone.status_code in {302, 410}


@POLICIES
def test_the_page_that_htmx_is_led_to_uses_the_nonce_of_its_header(
    displaced, policy, below
):
    below(policy)
    response = displaced.get(reverse("session_limit:ended"))
    assert response.status_code == 401
    assert allows_its_script(response)


# Forms


@pytest.fixture(params=[False, True], ids=["in a cookie", "in the session"])
def tokens(request, settings):
    """Keep the CSRF token in a cookie, and then in the session."""
    settings.CSRF_USE_SESSIONS = request.param
    return "session" if request.param else "cookie"


def checked(visitor):
    visitor.client.handler.enforce_csrf_checks = True
    return visitor


def sign_in_by(form, visitor, name="ada"):
    data = {"username": name, "password": PASSWORD, "csrfmiddlewaretoken": form}
    return visitor.post("/login/", data)


def test_a_form_of_the_layout_works_on_the_ended_page(displaced, tokens):
    response = checked(displaced).open()
    assert response.status_code == 401
    assert sign_in_by(token(response), displaced).status_code == 302
    assert displaced.state == SIGNED_IN


def test_a_form_of_the_layout_works_on_the_page_of_a_refusal(
    ada, bob, laptop, phone, settings, tokens
):
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop.sign_in()
    form = token(checked(phone).get("/login/"))
    cookie = phone.cookie
    refused = sign_in_by(form, phone)
    assert refused.status_code == 403
    # A tab that still shows the first form can send that form.
    tab = checked(phone.twin(is_async=False))
    assert sign_in_by(form, tab).status_code == 403
    assert sign_in_by(token(refused), phone, "bob").status_code == 302
    assert tokens == "cookie" or cookie is not None


def test_a_form_works_on_a_refusal_in_a_browser_without_a_token(
    ada, bob, laptop, phone, settings, tokens
):
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop.sign_in()
    refused = phone.sign_in()
    assert refused.status_code == 403
    assert sign_in_by(token(refused), checked(phone), "bob").status_code == 302


def test_what_a_page_writes_after_a_refusal_stays_under_the_key(
    ada, laptop, phone, settings
):
    """Another tab may just have received a cookie, so this page sends none."""
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    settings.CSRF_USE_SESSIONS = True
    laptop.sign_in()
    phone.post("/cart/", {"cart": "tea"})
    key = phone.cookie
    response = phone.sign_in()
    assert response.status_code == 403
    stored = phone.stored
    assert stored["cart"] == "tea"
    assert "_csrftoken" in stored
    if not stores.is_cookie():
        assert set_cookie(response) is None
        assert phone.cookie == key


def test_a_page_that_nobody_sees_writes_nothing(displaced, settings):
    settings.CSRF_USE_SESSIONS = True
    seen = {"Sec-Fetch-Mode": "navigate", "Sec-Purpose": "prefetch"}
    response = displaced.open(**seen)
    assert response.status_code == 401
    assert token(response)
    assert set_cookie(response) is None


def test_the_layout_does_not_show_who_was_refused(ada, laptop, phone, settings):
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop.sign_in()
    assert b"<b></b>" in phone.sign_in().content


def test_a_page_over_somebody_elses_session(ada, bob, laptop, phone, settings, tokens):
    """The session of the person who is signed in stays, and works with the form."""
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop.sign_in()
    phone.sign_in("bob")
    refused = phone.sign_in("ada")
    assert refused.status_code == 403
    assert b"<b>bob</b>" in refused.content
    assert phone.name == "bob"
    assert sign_in_by(token(refused), checked(phone), "bob").status_code == 302


def test_the_layout_does_not_show_whose_session_ended(ada, laptop, phone):
    laptop.sign_in()
    laptop.write()
    stories_views.meanwhile.append(phone.sign_in)
    response = laptop.get(laptop.path("interrupted"), headers=PAGE)
    assert response.status_code == 401
    assert in_layout(response)
    assert b"<b></b>" in response.content


# Messages, and the cookies of the replaced response

STORAGES = pytest.mark.parametrize("storage", ["cookie", "session", "fallback"])


@STORAGES
def test_a_message_of_the_view_is_shown_once(displaced, settings, storage):
    name = f"{storage}.{storage.capitalize()}Storage"
    settings.MESSAGE_STORAGE = f"django.contrib.messages.storage.{name}"
    response = displaced.get("/kept-out/")
    assert response.status_code == 401
    assert shown(response) == ["Please sign in first."]
    assert displaced.get("/messages/").json() == []


@STORAGES
def test_a_message_about_a_refused_sign_in_is_shown_once(
    ada, laptop, phone, settings, storage
):
    name = f"{storage}.{storage.capitalize()}Storage"
    settings.MESSAGE_STORAGE = f"django.contrib.messages.storage.{name}"
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop.sign_in()
    response = phone.get("/sign-in-and-tell/")
    assert response.status_code == 403
    assert shown(response) == ["That did not work."]
    assert phone.get("/messages/").json() == []


@STORAGES
def test_a_message_that_the_replaced_page_has_shown_is_shown(
    displaced, settings, storage
):
    """Nobody has seen the page of the view."""
    name = f"{storage}.{storage.capitalize()}Storage"
    settings.MESSAGE_STORAGE = f"django.contrib.messages.storage.{name}"
    displaced.get("/noted/")
    response = displaced.get("/consuming/")
    assert response.status_code == 401
    assert shown(response) == ["Noted."]
    assert displaced.get("/messages/").json() == []


def test_the_page_is_in_the_language_that_the_view_has_chosen(displaced, settings, use):
    use(
        [
            *settings.MIDDLEWARE[:2],
            "django.middleware.locale.LocaleMiddleware",
            *settings.MIDDLEWARE[2:],
        ]
    )
    assert displaced.open().headers["Content-Language"] == "en"
    displaced.sign_in()
    UserSession.objects.live().update(ended_at="2026-01-01T00:00Z", ended_reason="idle")
    response = displaced.get("/kept-out/")
    assert response.status_code == 401
    assert response.headers["Content-Language"] == "de"
    assert response.cookies["django_language"].value == "de"
    assert response.cookies["step"]["max-age"] == 0


# What runs, and how often


def test_the_view_runs_once_and_the_middleware_twice(displaced, below):
    below("Watcher")
    response = displaced.post("/kept-out/", {"text": "Mud"})
    assert response.status_code == 401
    assert calls == ["POST"]
    assert middleware.seen == ["/kept-out/", "/kept-out/"]
    assert response.headers["X-Request-ID"] == "r-2"
    assert response.cookies["watched"].value == "2"


@pytest.mark.parametrize("headers", [JSON, {"HX-Request": "true"}])
def test_other_forms_than_pages_need_no_second_pass(displaced, headers, below):
    below("Watcher")
    response = displaced.get("/kept-out/", headers=headers)
    assert response.status_code == 401
    assert middleware.seen == ["/kept-out/"]
    assert response.headers["X-Request-ID"] == "r-1"


def test_an_ordinary_page_needs_no_second_pass(ada, laptop, below):
    below("Watcher")
    laptop.sign_in()
    middleware.seen.clear()
    assert laptop.open().status_code == 200
    assert len(middleware.seen) == 1


def test_a_replaced_stream_is_closed(displaced):
    response = displaced.get("/streamed/")
    assert response.status_code == 401
    assert in_layout(response)
    response.close()
    assert calls == ["GET", "closed"]


def test_a_head_request_has_the_headers_of_the_page(displaced):
    response = displaced.call("head", displaced.path("members"))
    assert response.status_code == 401
    assert response.headers["Session-Limit"] == "ended; reason=displaced"
    assert response.content == b""


def test_views_behind_a_login_required_middleware(displaced, settings, use):
    """Django's middleware would keep the page from the visitor, too."""
    use(
        [
            *settings.MIDDLEWARE,
            "django.contrib.auth.middleware.LoginRequiredMiddleware",
        ]
    )
    response = displaced.get("/public/")
    assert response.status_code == 401
    assert in_layout(response)


def test_a_form_without_its_token_is_explained_in_the_layout(displaced, settings):
    """CsrfViewMiddleware refuses the form, and would refuse the page."""
    settings.CSRF_USE_SESSIONS = True
    response = checked(displaced).post("/kept-out/", {"text": "Mud"})
    assert response.status_code == 401
    assert calls == []
    assert in_layout(response)


def test_a_middleware_that_is_only_sync(displaced, below):
    below("Policy", "only_sync")
    response = displaced.open()
    assert response.status_code == 401
    assert in_layout(response)
    assert allows_its_script(response)
    assert response.headers["X-Sync"] == "1"


def test_under_atomic_requests(displaced, below, atomic_requests):
    below("Policy")
    response = displaced.get("/kept-out/")
    assert response.status_code == 401
    assert allows_its_script(response)


@pytest.mark.parametrize("save_every_request", [False, True])
def test_saving_every_request_changes_nothing(
    ada, laptop, phone, settings, save_every_request
):
    settings.SESSION_SAVE_EVERY_REQUEST = save_every_request
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    laptop.sign_in()
    phone.post("/cart/", {"cart": "tea"})
    response = phone.sign_in()
    assert response.status_code == 403
    assert in_layout(response)
    assert set_cookie(response) is None
    assert phone.get("/cart/").json() == {"cart": "tea"}


# Middleware that does not pass the page on

OUTSIDE = pytest.mark.parametrize("policy", ["Policy", "StrictPolicy", None])


@OUTSIDE
def test_a_barrier_in_a_middleware(displaced, policy, below):
    """The page is rendered outside, or without the layout if that needs a nonce."""
    names = ["OwnBarrier"] if policy is None else [policy, "OwnBarrier"]
    below(*names)
    displaced.client.cookies.pop("csrftoken", None)
    response = checked(displaced).get("/public/")
    assert response.status_code == 401
    assert b"Your account was signed in on a phone." in response.content
    assert in_layout(response) == (policy is None)
    assert "nonce" not in response.content.decode() or policy is None
    if policy is None:
        assert sign_in_by(token(response), displaced).status_code == 302


def test_a_message_is_shown_once_outside_the_middleware(displaced, below):
    below("OwnBarrier")
    with mock.patch.object(middleware.OwnBarrier, "process_request", say_and_redirect):
        response = displaced.get("/public/")
    assert response.status_code == 401
    assert shown(response) == ["Stay outside."]
    assert displaced.get("/messages/").json() == []


def say_and_redirect(self, request):
    if request.path == "/public/" and not request.user.is_authenticated:
        messages.error(request, "Stay outside.")
        return redirect("/login/?next=/public/")
    return None


def test_a_middleware_that_turns_each_401_into_a_redirect(displaced, below):
    below("Redirects401")
    response = displaced.open()
    assert response.status_code == 401
    assert in_layout(response)


def test_a_middleware_that_returns_a_response_of_its_own(displaced, below):
    below("NewResponse")
    response = displaced.open()
    assert response.status_code == 401
    assert in_layout(response)
    assert response.headers["X-Another"] == "1"
    assert response.headers["Session-Limit"] == "ended; reason=displaced"


def test_a_middleware_that_fails_the_second_time(displaced, below):
    below("FailsTheSecondTime")
    displaced.client.raise_request_exception = False
    response = displaced.open()
    assert response.status_code == 401
    assert in_layout(response)


def test_a_middleware_that_signs_in_the_second_time(
    displaced, phone, settings, below, use
):
    below("SignsInTheSecondTime")
    displaced.client.raise_request_exception = False
    response = displaced.open()
    assert response.status_code == 401
    assert in_layout(response)
    use(settings.MIDDLEWARE[:-1])
    assert phone.state == SIGNED_IN
    assert displaced.name is None


def test_a_wrapped_middleware_calls_the_view_once(displaced, settings, use):
    """Django does not find process_view() on a function that wraps the middleware."""
    use(
        [
            f"{__name__}.wrapped" if name.startswith("session_limit.") else name
            for name in settings.MIDDLEWARE
        ]
    )
    response = displaced.get("/kept-out/")
    assert response.status_code == 401
    assert calls == ["GET"]
    assert in_layout(response)


def wrapped(get_response):
    return SessionLimitMiddleware(get_response).__call__


def test_a_session_that_a_middleware_replaces_does_not_call_the_view_twice(
    displaced, settings, use
):
    use(
        [
            *settings.MIDDLEWARE[:2],
            f"{__name__}.Replacing",
            *settings.MIDDLEWARE[2:],
        ]
    )
    response = displaced.get("/kept-out/")
    assert response.status_code in {302, 401}
    assert calls == ["GET"]


class Replacing(middleware.Watcher):
    def process_request(self, request):
        key = request.COOKIES.get(django_settings.SESSION_COOKIE_NAME)
        request.session = type(request.session)(key)


@pytest.mark.parametrize("at_limit", ["displace", "deny", "ask"])
def test_a_sign_in_by_a_middleware_happens_once(
    ada, remote, settings, at_limit, caplog, below
):
    """The person is admitted, refused, counted and told of once."""
    caplog.set_level(logging.INFO)
    settings.SESSION_LIMIT_AT_LIMIT = at_limit
    below("Watcher")
    first, second = remote("ada", "Firefox"), remote("ada", "Chrome")
    first.open()
    middleware.seen.clear()
    caplog.clear()
    heard = []

    def hear(sender, **kwargs):
        heard.append(sender)

    user_logged_in.connect(hear)
    limit_reached.connect(hear)
    try:
        response = second.open()
        displaced = first.open()
    finally:
        user_logged_in.disconnect(hear)
        limit_reached.disconnect(hear)
    if at_limit == "displace":
        assert displaced.status_code == 401
        assert in_layout(displaced)
        names = [each["event"] for each in events(caplog)]
        assert sorted(names) == sorted(set(names))
    else:
        assert response.status_code == {"deny": 403, "ask": 303}[at_limit]
        assert len(heard) == 1
        assert displaced.status_code == 200


# Middleware that chooses another template


@pytest.mark.parametrize("name", ["ChoosesTemplates", "FindsTemplates"])
def test_another_middleware_chooses_the_template(displaced, below, name):
    below(name)
    response = displaced.open()
    assert response.status_code == 401
    assert in_layout(response)
    assert b"Your account was signed in on a phone." in response.content


def test_another_middleware_chooses_a_template_for_phones(displaced, below, layout):
    (layout.parent / "phone/session_limit").mkdir(parents=True)
    (layout.parent / "phone/session_limit/ended.html").write_text("On a phone.")
    below("ChoosesTemplates")
    response = displaced.open()
    assert (response.status_code, response.content) == (401, b"On a phone.")


def test_another_middleware_chooses_a_template_that_is_missing(displaced, below):
    below("NamesMissingTemplates")
    response = displaced.open()
    assert response.status_code == 401
    assert b"Your account was signed in on a phone." in response.content


# Layouts that fail


def test_a_layout_that_fails_is_left_out(displaced, layout, caplog):
    layout.write_text("{% load no_such_library %}")
    response = displaced.open()
    assert response.status_code == 401
    assert b"Your account was signed in on a phone." in response.content
    assert not in_layout(response)
    assert [each for each in caplog.records if "in your layout" in each.getMessage()]


def test_a_layout_that_fails_is_shown_to_a_developer(displaced, layout, settings):
    settings.DEBUG = True
    layout.write_text("{% load no_such_library %}")
    displaced.client.raise_request_exception = False
    assert displaced.open().status_code == 500


def test_a_context_processor_that_fails(displaced, settings):
    [django] = settings.TEMPLATES
    processors = [f"{__name__}.failing"]
    settings.TEMPLATES = [{**django, "OPTIONS": {"context_processors": processors}}]
    response = displaced.open()
    assert response.status_code == 401
    assert not in_layout(response)


def failing(request):
    raise ZeroDivisionError


def test_your_sessions_without_the_layout(ada, laptop, layout):
    layout.write_text("{% load no_such_library %}")
    laptop.sign_in()
    response = laptop.get(reverse("session_limit:list"))
    assert response.status_code == 200
    assert b"Where you" in response.content


# What it costs


@pytest.mark.parametrize("served", ["sync"])
def test_django_awaits_the_hook_of_an_async_middleware(served):
    """Django would call a sync method in a thread, in every request."""

    async def view(request):
        return HttpResponse()

    assert iscoroutinefunction(SessionLimitMiddleware(view).process_view)
    assert not iscoroutinefunction(
        SessionLimitMiddleware(lambda request: HttpResponse()).process_view
    )
    hook = SessionLimitMiddleware(lambda request: HttpResponse()).process_view
    assert hook(RequestFactory().get("/"), view, (), {}) is None
