"""
A browser that signs in at another site comes back without its session cookie.

Single sign-on (SAML, OIDC with form_post) ends with a form that the other site posts.
Browsers send no cookie with SameSite=Lax with that form. The browser keeps one place.
"""

from __future__ import annotations

import threading
from http.cookies import SimpleCookie

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model, login
from django.core import mail
from django.db import connection
from django.http import HttpResponseRedirect
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from session_limit.client import browser_cookie
from session_limit.models import UserSession
from session_limit.rules import Rules
from session_limit.testing import PHONE
from tests.stories import views
from tests.stories.people import SIGNED_IN, Visitor, live, make_user, reasons
from tests.stories.test_choosing import CHOOSE, HTML, choose
from tests.stories.urls import urlpatterns as project

Reason = UserSession.Reason

POST = {
    "Sec-Fetch-Site": "cross-site",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Origin": "https://idp.example",
}
ADDRESS = "ada@example.com"
FROM_OLD_SAFARI = {"Origin": "https://idp.example"}


@csrf_exempt
def assertion(request):
    name = request.POST.get("name") or request.GET["name"]
    user = get_user_model()._default_manager.get_by_natural_key(name)
    views.happen()
    login(request, user, backend=views.BACKEND)
    return HttpResponseRedirect("/members/")


urlpatterns = [path("acs/", assertion), *project]


class ByDevice(Rules):
    def scope(self, user, request):
        return request.headers["User-Agent"][:20]


class ForAdministrators(Rules):
    def exempt(self, user, request):
        return "X-Administrator" in request.headers


@pytest.fixture(autouse=True)
def site(settings):
    settings.ROOT_URLCONF = __name__
    settings.SESSION_COOKIE_SECURE = True
    settings.SESSION_LIMIT = 3
    settings.SESSION_LIMIT_NEW_SIGN_IN = "mail"


@pytest.fixture
def insecure(settings):
    settings.SESSION_COOKIE_SECURE = False


def sign_in_elsewhere(visitor, headers=POST, name="ada", *, method="post"):
    """Sign in by the form of another site, with the cookies that a browser sends."""
    kept = dict(visitor.client.cookies)
    visitor.client.cookies = SimpleCookie()
    for cookie, morsel in kept.items():
        if morsel["samesite"] == "None" and morsel["secure"]:
            visitor.client.cookies[cookie] = morsel.value
    secure = {"secure": True} if django_settings.SESSION_COOKIE_SECURE else {}
    answer = visitor.call(
        method,
        "/acs/",
        {"name": name},
        headers={**visitor.headers, **headers},
        **secure,
    )
    for cookie, morsel in kept.items():
        if cookie not in answer.cookies:
            visitor.client.cookies[cookie] = morsel
    return answer


WAYS = {"Fetch Metadata": POST, "old Safari": FROM_OLD_SAFARI}


@pytest.mark.parametrize("headers", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(
    ("at_limit", "limit"),
    [("displace", 3), ("deny", 1), ("ask", 1), ("observe", 1), ("displace", None)],
)
@pytest.mark.parametrize("is_secure", [True, False])
def test_a_browser_that_sends_no_session_cookie_keeps_one_place(
    ada, laptop, settings, headers, at_limit, limit, is_secure
):
    settings.SESSION_LIMIT, settings.SESSION_LIMIT_AT_LIMIT = limit, at_limit
    settings.SESSION_COOKIE_SECURE = is_secure
    for number in range(4):
        assert sign_in_elsewhere(laptop, headers).status_code == 302
        assert len(live()) == 1
        assert laptop.row == live()[0]
        assert reasons() == [Reason.SIGNED_OUT] * number
    assert laptop.state == SIGNED_IN
    assert mail.outbox == []


@pytest.mark.parametrize("same_site", ["Lax", "Strict"])
def test_the_browser_cookie_is_sent_where_the_session_cookie_is_not(
    ada, laptop, settings, same_site
):
    settings.SESSION_COOKIE_SAMESITE = same_site
    answer = sign_in_elsewhere(laptop)
    morsel = answer.cookies[browser_cookie.COOKIE]
    assert (morsel["samesite"], morsel["secure"]) == ("None", True)
    assert answer.cookies[django_settings.SESSION_COOKIE_NAME]["samesite"] == same_site


@pytest.mark.parametrize("is_secure", [True, False])
def test_a_strict_session_cookie_is_missing_after_a_link_too(
    ada, laptop, settings, is_secure
):
    """For example, OpenID Connect ends with a redirect from the other site."""
    settings.SESSION_COOKIE_SECURE = is_secure
    settings.SESSION_COOKIE_SAMESITE = "Strict"
    for _ in range(3):
        assert sign_in_elsewhere(laptop, method="get").status_code == 302
    assert len(live()) == 1


def test_a_closed_browser_that_comes_back_keeps_its_place(ada, laptop, settings):
    """The session cookie was deleted with the window, and the browser cookie stayed."""
    settings.SESSION_LIMIT, settings.SESSION_LIMIT_AT_LIMIT = 1, "deny"
    laptop.sign_in(secure=True)
    laptop.cookie = None
    assert laptop.sign_in(secure=True).status_code == 302
    assert len(live()) == 1


def test_two_browsers_are_two_places(ada, laptop, phone):
    for visitor in (laptop, phone, laptop, phone):
        sign_in_elsewhere(visitor)
    assert [laptop.row, phone.row] == live()


def test_two_browsers_that_look_alike_are_two_places(ada, browser):
    one, two = browser(), browser()
    for visitor in (one, two, one, two):
        sign_in_elsewhere(visitor)
    assert [one.row, two.row] == live()


def test_two_people_in_one_browser_are_two_accounts(ada, bob, laptop):
    sign_in_elsewhere(laptop)
    sign_in_elsewhere(laptop, name="bob")
    assert len(live(ada)) == len(live(bob)) == 1


def test_a_browser_with_an_anonymous_session_takes_a_place(ada, laptop):
    """Its earlier session may be in another profile, which shares no cookie jar."""
    laptop.sign_in(secure=True)
    twin = laptop.twin()
    twin.cookie = None
    twin.write(secure=True)
    assert twin.cookie
    twin.sign_in(secure=True)
    assert len(live()) == 2


def test_two_sites_on_one_host_are_two_places(ada, laptop, settings):
    laptop.sign_in(secure=True)
    settings.SESSION_COOKIE_NAME = "other"
    laptop.sign_in(secure=True)
    assert len(live()) == 2


def test_no_other_scope_loses_a_session(ada, laptop, settings):
    settings.SESSION_LIMIT_RULES = f"{__name__}.ForAdministrators"
    administrator = {**POST, "X-Administrator": "1"}
    UserSession.objects.filter(pk=row_of(laptop, administrator)).update(
        browser=row_browser(laptop)
    )
    sign_in_elsewhere(laptop)
    assert [row.counted for row in live()] == [False, True]


def row_of(visitor, headers):
    sign_in_elsewhere(visitor, headers)
    return visitor.row.pk


def row_browser(visitor):
    """Return the digest that the next sign-in of this browser looks for."""
    before = set(UserSession.objects.values_list("pk", flat=True))
    twin = visitor.twin()
    for cookie, morsel in visitor.client.cookies.items():
        twin.client.cookies[cookie] = morsel
    sign_in_elsewhere(twin)
    visitor.client.cookies = twin.client.cookies
    (row,) = UserSession.objects.exclude(pk__in=before)
    UserSession.objects.filter(pk=row.pk).delete()
    return row.browser


def test_an_impersonation_recognizes_no_browser(ada, laptop, settings):
    settings.SESSION_LIMIT_RULES = f"{__name__}.ForAdministrators"
    sign_in_elsewhere(laptop)
    row = live()[0]
    sign_in_elsewhere(laptop, {**POST, "X-Administrator": "1"})
    assert row in live()
    assert [each.browser for each in live()] == [row.browser, None]


def test_a_refused_sign_in_ends_nothing(ada, laptop, phone, tablet, settings):
    for visitor in (laptop, phone, tablet):
        sign_in_elsewhere(visitor)
    settings.SESSION_LIMIT, settings.SESSION_LIMIT_AT_LIMIT = 1, "deny"
    before = live()
    assert sign_in_elsewhere(laptop).status_code == 403
    assert live() == before


def test_an_ended_session_keeps_nothing_about_the_browser(ada, laptop):
    sign_in_elsewhere(laptop)
    assert len(laptop.row.browser) == 32
    sign_in_elsewhere(laptop)
    assert [row.browser for row in UserSession.objects.ended()] == [None]


def test_a_replaced_secret_forgets_no_place(ada, laptop, settings):
    sign_in_elsewhere(laptop)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"
    sign_in_elsewhere(laptop)
    assert len(live()) == 1


def test_a_forged_cookie_takes_nobodys_place(ada, laptop, phone):
    sign_in_elsewhere(laptop)
    phone.client.cookies[browser_cookie.COOKIE] = "forged"
    phone.client.cookies[browser_cookie.COOKIE]["samesite"] = "None"
    phone.client.cookies[browser_cookie.COOKIE]["secure"] = True
    sign_in_elsewhere(phone)
    assert len(live()) == 2


# Where the browser cookie cannot be sent, a description of the client has to do.


def test_another_kind_of_browser_is_another_place(ada, insecure, laptop, phone):
    for visitor in (laptop, phone, laptop):
        sign_in_elsewhere(visitor)
    assert len(live()) == 2


@pytest.fixture
def in_another_network(browser, settings):
    settings.SESSION_LIMIT_TRUSTED_PROXIES = 1
    return browser(headers={"X-Forwarded-For": "203.0.113.7"})


def test_another_network_is_another_place(ada, insecure, laptop, in_another_network):
    sign_in_elsewhere(laptop)
    sign_in_elsewhere(in_another_network)
    assert len(live()) == 2


def test_no_address_is_used_that_is_not_stored(
    ada, insecure, laptop, in_another_network, settings
):
    settings.SESSION_LIMIT_STORE_ADDRESS = "none"
    sign_in_elsewhere(laptop)
    sign_in_elsewhere(in_another_network)
    assert len(live()) == 1


def test_the_description_recognizes_only_sign_ins_at_another_site(
    ada, insecure, browser
):
    one, two = browser(), browser()
    sign_in_elsewhere(one)
    two.sign_in()
    assert len(live()) == 2
    three = browser()
    sign_in_elsewhere(three)
    assert len(live()) == 2
    assert two.state == SIGNED_IN


def test_without_the_browser_cookie_the_description_has_to_do(ada, laptop, settings):
    settings.SESSION_LIMIT_NEW_SIGN_IN = "none"
    for _ in range(2):
        answer = sign_in_elsewhere(laptop)
        assert browser_cookie.COOKIE not in answer.cookies
    assert len(live()) == 1


@pytest.mark.parametrize("notice", ["mail", "none"])
@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_browser_that_was_asked_is_recognized_later(
    ada, insecure, laptop, phone, settings, notice, is_replaced
):
    """The answer comes by a form of the site itself, which needs no description."""
    settings.SESSION_LIMIT, settings.SESSION_LIMIT_AT_LIMIT = 1, "ask"
    settings.SESSION_LIMIT_NEW_SIGN_IN = notice
    phone.sign_in()
    assert sign_in_elsewhere(laptop)["Location"] == CHOOSE
    if is_replaced:
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    assert choose(laptop, phone.row.pk).status_code == 302
    if is_replaced:
        settings.SECRET_KEY = "another"
    for _ in range(2):
        assert sign_in_elsewhere(laptop)["Location"] == "/members/"
        assert live() == [laptop.row]


def test_a_browser_that_was_asked_does_not_lend_its_place(
    ada, insecure, laptop, phone, tablet, settings
):
    settings.SESSION_LIMIT, settings.SESSION_LIMIT_AT_LIMIT = 1, "ask"
    phone.sign_in()
    sign_in_elsewhere(laptop)
    choose(laptop, phone.row.pk)
    assert sign_in_elsewhere(tablet)["Location"] == CHOOSE
    assert laptop.state == SIGNED_IN


def test_the_description_is_not_used_for_a_choice_if_a_cookie_was_sent(
    ada, insecure, laptop, phone, settings
):
    settings.SESSION_LIMIT, settings.SESSION_LIMIT_AT_LIMIT = 1, "ask"
    settings.SESSION_LIMIT_NEW_SIGN_IN = "none"
    phone.sign_in()
    laptop.write()
    assert laptop.cookie
    answer = laptop.post("/acs/", {"name": "ada"}, headers={**laptop.headers, **POST})
    assert answer["Location"] == CHOOSE
    choose(laptop, phone.row.pk)
    assert laptop.row.browser is None


def test_the_description_is_not_used_for_a_choice_on_the_site_itself(
    ada, insecure, laptop, phone, settings
):
    settings.SESSION_LIMIT, settings.SESSION_LIMIT_AT_LIMIT = 1, "ask"
    settings.SESSION_LIMIT_NEW_SIGN_IN = "none"
    phone.sign_in()
    laptop.sign_in(headers=HTML)
    choose(laptop, phone.row.pk)
    assert laptop.row.browser is None


# Two at once


@pytest.mark.parametrize("limit", [1, None])
def test_two_forms_at_once_keep_one_place(ada, laptop, settings, limit):
    """The second form arrives between the first one's request and its sign-in."""
    settings.SESSION_LIMIT = limit
    sign_in_elsewhere(laptop)
    twin = laptop.twin()
    for cookie, morsel in laptop.client.cookies.items():
        twin.client.cookies[cookie] = morsel
    views.meanwhile.append(lambda: sign_in_elsewhere(twin))
    sign_in_elsewhere(laptop)
    assert live() == [laptop.row]


@pytest.mark.skipif(
    connection.vendor == "sqlite", reason="SQLite runs one transaction at a time."
)
@pytest.mark.parametrize("is_secure", [True, False])
def test_many_forms_at_once_keep_one_place(ada, settings, is_secure):
    settings.SESSION_LIMIT, settings.SESSION_COOKIE_SECURE = None, is_secure
    first = Visitor(PHONE)
    sign_in_elsewhere(first)
    start = threading.Barrier(6)

    def post():
        twin = first.twin()
        for cookie, morsel in first.client.cookies.items():
            twin.client.cookies[cookie] = morsel
        start.wait()
        try:
            sign_in_elsewhere(twin)
        finally:
            connection.close()

    threads = [threading.Thread(target=post) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(live()) == 1


def test_the_first_sign_in_of_a_known_account_in_a_new_browser_is_news(
    laptop, phone, django_user_model
):
    if not hasattr(django_user_model, "EMAIL_FIELD"):
        pytest.skip("this user model has no email address")
    is_name = django_user_model.USERNAME_FIELD == "email"
    make_user(ADDRESS, **({} if is_name else {"email": ADDRESS}))
    for visitor in (laptop, phone, laptop, phone):
        sign_in_elsewhere(visitor, name=ADDRESS)
    assert len(mail.outbox) == 1
