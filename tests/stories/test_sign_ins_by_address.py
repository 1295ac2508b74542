"""
A displaced person may open a sign-in link. A page that signs in by itself has to wait.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth import alogin, authenticate, get_user_model, login
from django.contrib.auth.backends import ModelBackend
from django.http import HttpResponse
from django.urls import path, re_path

from session_limit.models import UserSession
from session_limit.utils.clock import utc_now
from tests.stories.people import JSON, NOBODY, PASSWORD, SIGNED_IN, live, make_user
from tests.stories.urls import urlpatterns as project
from tests.stories.views import BACKEND

Reason = UserSession.Reason

NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
UNSEEN = {
    "frame": {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    "script": {"Accept": "*/*", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
    "prefetch": {**NAVIGATION, "Sec-Purpose": "prefetch;prerender"},
}


class Links(ModelBackend):
    """A backend with one-time links, as in django-sesame."""

    def authenticate(self, request, proof=None, max_age=None):
        return find("ada") if proof == "right" else None


class Header(ModelBackend):
    """A backend that trusts a proxy, as ``RemoteUserBackend`` does."""

    def authenticate(self, request, remote_user=None):
        return find(remote_user) if remote_user else None


def find(name):
    return get_user_model()._default_manager.get_by_natural_key(name)


class SigningIn:
    """Sign in before the view runs, as django-sesame's middleware does."""

    sync_capable = True
    async_capable = False

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        proof = request.GET.get("proof")
        user = authenticate(request, proof=proof)
        user = user or authenticate(request, remote_user=request.headers.get("X-User"))
        if user is not None:
            login(request, user)
        return self.get_response(request)


def opened(request, name="ada", **kwargs):
    login(request, find(name), backend=BACKEND)
    return HttpResponse("in")


async def opened_async(request, name="ada", **kwargs):
    user = await get_user_model()._default_manager.aget(
        **{get_user_model().USERNAME_FIELD: name}
    )
    await alogin(request, user, backend=BACKEND)
    return HttpResponse("in")


def guests(request, **kwargs):
    """Sign a new account in, as django-guest-user does."""
    if request.user.is_anonymous:
        number = get_user_model().objects.count()
        login(request, make_user(f"guest{number}"), backend=BACKEND)
    return HttpResponse(f"Hello {request.user.get_username()}.")


urlpatterns = [
    path("guests/", guests),
    path("guests/<slug:game>/", guests),
    path("in/<slug:name>/", opened),
    path("ain/<slug:name>/", opened_async),
    path("in/<slug:uidb64>/<slug:token>/", opened),
    path("key/<slug:key>/", lambda request, key: opened(request, "bob")),
    re_path(r"^group/(?P<signature>\w+)/$", lambda r, **k: opened(r, "bob")),
    *project,
]


@pytest.fixture(autouse=True)
def urls(settings):
    settings.ROOT_URLCONF = __name__


@pytest.fixture
def displaced(ada, bob, laptop, phone):
    laptop.sign_in()
    phone.sign_in()
    return laptop


# Views


@pytest.mark.parametrize(
    "address",
    [
        "/in/ada/",
        "/in/bob/?token=x",
        "/in/bob/?oauth_token=x&oauth_verifier=y",
        "/in/bob/?code=x&state=y",
        "/in/bob/?ticket=ST-1",
        "/in/bob/?SAMLResponse=x",
        "/in/bob/?openid.mode=id_res",
        "/in/MTI/abc-def/",
        "/key/abc/",
        "/group/abc/",
    ],
)
def test_a_link_that_a_person_opens_signs_in(displaced, address):
    if displaced.is_async:
        address = address.replace("/in/bob/", "/ain/bob/")
    assert displaced.get(address, headers=NAVIGATION).status_code == 200
    assert displaced.name in {"ada", "bob"}


@pytest.mark.parametrize("headers", UNSEEN.values(), ids=UNSEEN)
@pytest.mark.parametrize("address", ["/in/ada/", "/in/bob/?token=x", "/guests/"])
def test_what_no_person_opens_signs_nobody_in(displaced, phone, address, headers):
    for _ in range(2):
        assert displaced.get(address, headers=headers).status_code == 401
    assert phone.state == SIGNED_IN
    assert displaced.state == Reason.DISPLACED
    assert len(live()) == 1


@pytest.mark.parametrize(
    "address",
    [
        "/guests/",
        "/guests/?next=/x/&page=2",
        "/guests/?token=",
        "/guests/?username=ada&utm_source=mail",
        "/guests/?state=y",
        "/guests/chess/",
        "/in/bob/",
    ],
)
def test_a_displaced_person_is_told_before_becoming_somebody_else(displaced, address):
    answer = displaced.get(address, headers=NAVIGATION)
    assert answer.status_code == 401
    assert b"Your account was signed in on a phone." in answer.content
    assert b"/login/?next=" in answer.content
    # Then the browser is an ordinary visitor's.
    assert displaced.state == NOBODY
    assert displaced.get(address, headers=NAVIGATION).status_code == 200
    assert displaced.name not in {None, "ada"}


def test_a_form_makes_no_guest_of_a_displaced_person_either(displaced, phone):
    if not hasattr(get_user_model(), "date_joined"):
        pytest.skip("this user model does not say when an account was made")
    answer = displaced.post("/guests/", {"move": "e4", "csrfmiddlewaretoken": "x"})
    assert answer.status_code == 401
    assert b"Your account was signed in on a phone." in answer.content
    assert displaced.post("/guests/", {"move": "e4"}).status_code == 200
    assert phone.state == SIGNED_IN


@pytest.mark.parametrize("field", ["password1", "email", "one-time-code", "user_name"])
def test_a_displaced_person_may_sign_up(displaced, field):
    assert displaced.post("/guests/", {field: "x"}).status_code == 200


def test_an_account_that_is_not_new_is_no_guests(displaced):
    bob = find("bob")
    bob.date_joined = utc_now() - timedelta(minutes=2)
    bob.save()
    assert displaced.post("/in/bob/", {"move": "e4"}).status_code == 200


def test_a_basket_outlives_the_explanation(displaced):
    displaced.post("/cart/", {"cart": "tea"}, headers=JSON)
    assert displaced.get("/guests/", headers=NAVIGATION).status_code == 401
    assert displaced.get("/cart/").json() == {"cart": "tea"}


def test_a_guest_who_was_displaced_is_told_too(laptop, phone, settings):
    make_user("ada")
    laptop.get("/guests/", headers=NAVIGATION)
    (row,) = live()
    settings.SESSION_LIMIT_AT_LIMIT = "displace"
    phone.sign_in(row.user.get_username())
    answer = laptop.get("/guests/", headers=NAVIGATION)
    assert answer.status_code == 401


def test_a_visitor_becomes_a_guest(laptop):
    assert laptop.get("/guests/", headers=NAVIGATION).status_code == 200


# A middleware


@pytest.fixture
def by_middleware(settings):
    settings.AUTHENTICATION_BACKENDS = [
        f"{__name__}.Links",
        f"{__name__}.Header",
        *settings.AUTHENTICATION_BACKENDS,
    ]
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.SigningIn"]


def test_a_middleware_signs_in_by_a_link(by_middleware, displaced, phone):
    answer = displaced.get("/public/?proof=right", headers=NAVIGATION)
    assert answer.status_code == 200
    assert displaced.name == "ada"
    assert phone.state == Reason.DISPLACED


@pytest.mark.parametrize("headers", UNSEEN.values(), ids=UNSEEN)
def test_no_middleware_signs_in_by_a_link_that_no_person_opens(
    by_middleware, displaced, phone, headers
):
    address = "/public/?proof=right"
    assert displaced.get(address, headers=headers).status_code == 401
    assert phone.state == SIGNED_IN


@pytest.mark.parametrize("query", ["", "?token=x", "?code=x&state=y", "?remote_user=x"])
def test_a_middleware_that_needs_no_link_waits(by_middleware, displaced, phone, query):
    headers = {**NAVIGATION, "X-User": "ada"}
    for _ in range(2):
        answer = displaced.get(f"/public/{query}", headers=headers)
        assert answer.status_code == 401
        assert b'name="token"' in answer.content
    assert phone.state == SIGNED_IN


def test_a_form_is_a_persons_choice(displaced, phone):
    assert displaced.sign_in("bob", PASSWORD).status_code == 302
    assert displaced.name == "bob"
