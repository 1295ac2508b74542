"""What ``{% load session_limit %}`` shows, to whom, and what it costs."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponse
from django.template import Context, RequestContext, Template
from django.test import RequestFactory
from django.urls import path
from django.utils import timezone

from session_limit import registry
from session_limit.models import UserSession
from session_limit.request import SessionLimit
from session_limit.store.guarded import install
from session_limit.templatetags import session_limit as tags
from session_limit.testing import LAPTOP, PHONE
from tests import stores
from tests.stories.people import Visitor, make_user, set_cookie, statements
from tests.urls import urlpatterns as project

Reason = UserSession.Reason
HOUR = timedelta(hours=1)


def page(request, tag):
    """Show a page with one tag, or none. With ``?who`` the view reads the user."""
    if "who" in request.GET:
        assert request.user.get_username() == "ada"
    tag = f"{{% session_limit_{tag} %}}" if tag != "none" else ""
    template = Template(f"{{% load session_limit %}}<p>{tag}</p>")
    return HttpResponse(template.render(RequestContext(request)))


urlpatterns = [*project, path("page/<str:tag>/", page)]


@pytest.fixture(autouse=True)
def addresses(settings, transactional_db):
    settings.ROOT_URLCONF = __name__
    settings.SESSION_LIMIT = 3


@pytest.fixture
def ada():
    return make_user("ada")


@pytest.fixture
def laptop(ada):
    visitor = Visitor(LAPTOP)
    visitor.sign_in()
    return visitor


def response(visitor, tag):
    return visitor.get(f"/page/{tag}/")


def text(visitor, tag):
    """Return what the tag shows, without markup and with single spaces."""
    content = response(visitor, tag).content.decode()
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", content)).split())


def cost(visitor, tag):
    """Return how many statements the tag adds to a page that reads the user."""
    visitor.get("/page/none/?who")  # shows the notices of newer sign-ins, once
    with statements() as without:
        visitor.get("/page/none/?who")
    with statements() as ran:
        visitor.get(f"/page/{tag}/?who")
    return len(ran) - len(without)


# Usage


def test_usage(laptop):
    assert text(laptop, "usage") == "Signed in on 1 of 3 devices"
    Visitor(PHONE).sign_in()
    assert text(laptop, "usage") == "Signed in on 2 of 3 devices"


def test_usage_of_one(laptop, settings):
    settings.SESSION_LIMIT = 1
    assert text(laptop, "usage") == "Signed in on 1 of 1 device"


def test_usage_without_a_limit(laptop, settings):
    settings.SESSION_LIMIT = None
    assert text(laptop, "usage") == "Signed in on 1 device"
    Visitor(PHONE).sign_in()
    assert text(laptop, "usage") == "Signed in on 2 devices"


def test_usage_above_the_limit_names_no_limit(laptop, settings):
    """The limit was lowered since, or is only observed."""
    Visitor(PHONE).sign_in()
    settings.SESSION_LIMIT = 1
    assert text(laptop, "usage") == "Signed in on 2 devices"


def test_usage_is_of_the_scope(laptop):
    phone = Visitor(PHONE)
    phone.sign_in()
    UserSession.objects.filter(pk=phone.row.pk).update(scope="elsewhere")
    assert text(laptop, "usage") == "Signed in on 1 of 3 devices"


def test_usage_of_one_that_is_not_counted(laptop):
    UserSession.objects.update(counted=False)
    Visitor(PHONE).sign_in()
    assert text(laptop, "usage") == "Signed in on 2 devices"


def test_usage_costs_three_statements(laptop):
    """They read the session's row, the account's limit, and the count."""
    for _ in range(2):
        Visitor(PHONE).sign_in()
    assert cost(laptop, "usage") == 3


# Ended


@pytest.fixture
def displaced(laptop, settings):
    settings.SESSION_LIMIT = 1
    Visitor(PHONE).sign_in()
    return laptop


def test_a_displaced_browser_is_told_on_a_public_page(displaced):
    assert text(displaced, "ended") == (
        "You're signed out here Your account was signed in on a phone. "
        "This account can be used on 1 device at a time. Use here instead"
    )
    content = response(displaced, "ended").content.decode()
    assert 'href="/login/?next=/page/ended/"' in unescape(content).replace("%2F", "/")
    # The message stays until the person acts on it.
    assert text(displaced, "ended")
    assert set_cookie(response(displaced, "ended")) is None


def test_what_cannot_be_taken_up_again(laptop, ada):
    registry.end_all(ada, Reason.REVOKED, by=ada)
    assert text(laptop, "ended").endswith("list of devices. Sign in")


def test_the_notice_costs_others_nothing(laptop):
    assert text(laptop, "ended") == ""
    stranger = Visitor()
    with statements() as ran:
        answer = response(stranger, "ended")
    assert ran == []
    assert answer.content.strip() == b"<p>\n</p>"
    assert "Vary" not in answer
    assert cost(laptop, "ended") == 0


# Last sign-in


def test_last_sign_in(laptop, settings):
    settings.TIME_ZONE = "Asia/Kathmandu"
    assert text(laptop, "last_sign_in") == ""
    moment = datetime(2024, 11, 23, 14, 32, tzinfo=UTC)
    UserSession.objects.update(created_at=moment)
    phone = Visitor(PHONE)
    phone.sign_in()
    assert text(phone, "last_sign_in") == (
        "Last sign-in: Nov. 23, 2024, 8:17 p.m. +0545 , Firefox on Windows"
    )
    # Each session shows the sign-in before its own, whether or not it is live.
    assert text(laptop, "last_sign_in") == ""
    laptop.sign_out()
    assert "Firefox on Windows" in text(phone, "last_sign_in")


def test_last_sign_in_is_none_that_was_adopted(laptop):
    UserSession.objects.update(adopted=True)
    phone = Visitor(PHONE)
    phone.sign_in()
    assert text(phone, "last_sign_in") == ""


def test_last_sign_in_is_of_the_same_account(laptop):
    make_user("bob")
    phone = Visitor(PHONE)
    phone.sign_in("bob")
    assert text(phone, "last_sign_in") == ""


def test_last_sign_in_costs_two_statements(laptop):
    phone = Visitor(PHONE)
    phone.sign_in()
    assert cost(phone, "last_sign_in") == 2


# Visitors who are shown nothing


@pytest.mark.parametrize("tag", ["usage", "ended", "last_sign_in"])
def test_nothing_to_an_anonymous_visitor(tag):
    assert text(Visitor(), tag) == ""


@pytest.mark.parametrize("tag", ["usage", "ended", "last_sign_in"])
def test_nothing_without_a_guarded_request(tag):
    template = Template(f"{{% load session_limit %}}{{% session_limit_{tag} %}}")
    assert template.render(Context()).strip() == ""
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    assert template.render(RequestContext(request)).strip() == ""
    assert template.render(Context({"request": request})).strip() == ""


def test_a_name_of_a_device_is_escaped(laptop):
    UserSession.objects.update(device="<b>&", created_at=timezone.now() - HOUR)
    phone = Visitor(PHONE)
    phone.sign_in()
    content = response(phone, "last_sign_in").content.decode()
    assert "<bdi>&lt;b&gt;&amp;</bdi>" in content


# The style


def test_the_style():
    link = '<link rel="stylesheet" href="/static/session_limit/session_limit.css">'
    assert tags.session_limit_style() == link


@pytest.mark.parametrize("address", [None, ""])
def test_no_style_where_nothing_serves_it(settings, address):
    settings.STATIC_URL = address
    assert tags.session_limit_style() == ""


def test_no_style_where_it_was_not_collected(settings):
    backend = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": backend}}
    settings.STATIC_ROOT = str(settings.RUN_DIRECTORY)
    settings.DEBUG = False
    assert tags.session_limit_style() == ""
    settings.STATIC_ROOT = None
    assert tags.session_limit_style() == ""


# Times


def test_a_time_is_marked_up_in_utc_and_shown_in_the_current_zone():
    moment = datetime(2024, 7, 1, 22, 5, tzinfo=UTC)
    with timezone.override("Europe/Berlin"):
        assert tags.session_limit_time(moment) == (
            '<time datetime="2024-07-01T22:05:00+00:00">'
            "July 2, 2024, 12:05 a.m. CEST</time>"
        )


def test_this_year_goes_without_saying(settings):
    settings.TIME_ZONE = "UTC"
    now = timezone.now().replace(hour=14, minute=32)
    assert tags.session_limit_when(now).endswith(", 2:32 p.m. UTC")
    assert str(now.year) not in tags.session_limit_when(now)


def test_a_time_of_a_project_without_time_zones(settings):
    settings.TIME_ZONE = "Europe/Berlin"
    settings.USE_TZ = False
    naive = datetime(2024, 7, 2, 0, 5)  # noqa: DTZ001 as such a project has them
    shown = tags.session_limit_time(naive)
    assert '"2024-07-01T22:05:00+00:00"' in shown
    assert "July 2, 2024, 12:05 a.m. CEST" in shown


def test_activity(ada):
    active = timezone.now() - 5 * HOUR
    session = UserSession(user=ada, last_active_at=active)
    shown = tags.session_limit_active(session)
    assert shown.endswith(">Active 5 hours ago</time>")
    assert active.isoformat() in shown


def test_a_device_without_a_name():
    assert tags.session_limit_device(UserSession()) == "Unknown device"


# The scripts of an open page


@pytest.fixture
def included(settings):
    settings.ROOT_URLCONF = "tests.asgi.urls"


def rendered(visitor, tag, **context):
    """Return what the tag adds to a page of this visitor."""
    request = RequestFactory().get("/")
    if visitor.cookie:
        request.COOKIES[settings.SESSION_COOKIE_NAME] = visitor.cookie
    request.session = stores.engine()(visitor.cookie)
    install(request)
    request.session_limit = SessionLimit(request)
    template = Template(f"{{% load session_limit %}}{{% {tag} %}}")
    return template.render(RequestContext(request, context))


def watch(visitor, tag="session_limit_watch", **context):
    """Return the attributes of the last script that the tag adds to a page."""
    markup = unescape(rendered(visitor, tag, **context))
    return dict(re.findall(r'([\w-]+)="([^"]*)"', markup))


def test_watch(laptop, included):
    found = watch(laptop)
    assert found["type"] == "module"
    assert found["src"] == "/static/session_limit/watch.js"
    assert "nonce" not in found
    data = "data-session-limit-"
    assert found[f"{data}session"] == str(laptop.row.pk)
    assert found[f"{data}mode"] == "overlay"
    assert found[f"{data}status"] == "/account/sessions/status/"
    assert found[f"{data}events"] == "/account/sessions/events/"
    assert found[f"{data}ended"] == "/account/sessions/ended/"
    assert found[f"{data}close"] == "Stay on this page"
    assert laptop.cookie not in "".join(found.values())


def test_watch_costs_no_statement_where_the_session_was_read(laptop, included):
    with statements() as ran:
        watch(laptop)
    assert len(ran) == 1  # reads the session


@pytest.mark.parametrize("mode", ["overlay", "redirect", "event"])
def test_watch_in_a_mode(laptop, included, mode):
    found = watch(laptop, f'session_limit_watch mode="{mode}"')
    assert found["data-session-limit-mode"] == mode


def test_watch_in_no_mode(laptop, included):
    with pytest.raises(ValueError, match="'dialog'"):
        watch(laptop, 'session_limit_watch "dialog"')


class Lazy(str):
    """Behave as Django 6.0's nonce, which is false until it has been used."""

    __slots__ = ()

    def __bool__(self):
        return False


def test_watch_with_a_nonce(laptop, included):
    assert watch(laptop, csp_nonce=Lazy("n0nce"))["nonce"] == "n0nce"


@pytest.mark.parametrize("tag", ["session_limit_watch", "session_limit_play"])
def test_the_shared_script_comes_first_with_the_same_nonce(
    laptop, included, settings, tag
):
    settings.SESSION_LIMIT_PLAYS = 2
    markup = rendered(laptop, tag, csp_nonce=Lazy("n0nce"))
    scripts = re.findall(r'<script type="module" src="([^"]*)" nonce="n0nce"', markup)
    script = "watch.js" if tag == "session_limit_watch" else "play.js"
    expected = ["shared.js", script]
    assert scripts == [f"/static/session_limit/{name}" for name in expected]


def test_watch_has_nothing_to_say_to_others(laptop, included):
    laptop.sign_out()
    assert watch(laptop) == {}
    visitor = Visitor(PHONE)
    with statements() as ran:
        assert watch(visitor) == {}
    assert ran == []
    assert watch(visitor, "session_limit_watch 'event'") == {}


def test_watch_without_our_addresses(laptop, settings):
    settings.ROOT_URLCONF = "tests.stories.urls_plain"
    assert watch(laptop) == {}


def test_watch_outside_a_request():
    template = Template("{% load session_limit %}{% session_limit_watch %}")
    assert template.render(Context()).strip() == ""


def test_play(laptop, included, settings):
    settings.SESSION_LIMIT_PLAYS = 2
    found = watch(laptop, "session_limit_play", csp_nonce=Lazy("n0nce"))
    assert found["type"] == "module"
    assert found["src"] == "/static/session_limit/play.js"
    assert found["nonce"] == "n0nce"
    data = "data-session-limit-"
    assert found[f"{data}plays"] == "/account/sessions/plays/"
    assert found[f"{data}clock"] == "/static/session_limit/clock.js"
    assert found[f"{data}cookie"] == "csrftoken"
    assert found[f"{data}since"] == "since {time}"
    assert len(found[f"{data}token"]) == 64
    assert laptop.cookie not in "".join(found.values())


def test_play_has_nothing_to_say_to_others(laptop, included, settings):
    assert watch(laptop, "session_limit_play") == {}
    settings.SESSION_LIMIT_PLAYS = 2
    assert watch(Visitor(PHONE), "session_limit_play") == {}
    laptop.sign_out()
    assert watch(laptop, "session_limit_play") == {}


def test_play_without_our_addresses(laptop, settings):
    settings.SESSION_LIMIT_PLAYS = 2
    settings.ROOT_URLCONF = "tests.stories.urls_plain"
    assert watch(laptop, "session_limit_play") == {}
