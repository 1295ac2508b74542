"""A view sets the session's expiry after ``login()``, which a choice cuts short."""

from __future__ import annotations

import functools
import sys
from types import ModuleType

import pytest
from django import forms
from django.contrib.auth import alogin, authenticate, login
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.http import HttpResponse
from django.urls import include, path

from tests.stories import views
from tests.stories.people import PASSWORD, live
from tests.stories.test_choosing import HTML, choose

LONG = 30 * 24 * 3600
EXPIRY = "_session_expiry"


def user_of(request):
    data = request.POST
    return authenticate(request, username=data["username"], password=data["password"])


def in_the_view(request):
    login(request, user_of(request))
    request.session.set_expiry(LONG if request.POST.get("remember") else 0)
    return HttpResponse("Welcome.")


async def in_an_async_view(request):
    user = await views.get_user_model()._default_manager.aget()
    await alogin(request, user, backend=views.BACKEND)
    await request.session.aset_expiry(LONG if request.POST.get("remember") else 0)
    return HttpResponse("Welcome.")


helpers = ModuleType("helpers")
exec(  # noqa: S102  a module of its own
    "def remember(request):\n"
    "    request.session.set_expiry(0 if not request.POST.get('remember') else 9**6)\n",
    vars(helpers),
)


def in_a_helper(request):
    login(request, user_of(request))
    helpers.remember(request)
    return HttpResponse("Welcome.")


def decorated(view):
    @functools.wraps(view)
    def call(request):
        return view(request)

    return call


class InTheClass(LoginView):
    def form_valid(self, form):
        response = super().form_valid(form)
        if not self.request.POST.get("remember"):
            self.request.session.set_expiry(0)
        return response


class RememberForm(AuthenticationForm):
    remember_me = forms.BooleanField(required=False)


class InTheForm(LoginView):
    """The expiry is set where nobody finds it: only the form has the field."""

    authentication_form = RememberForm


class Plain(LoginView):
    """A sign-in page without such a field."""


def nothing(request):
    login(request, user_of(request))
    return HttpResponse("Welcome.")


urlpatterns = [
    path("function/", in_the_view),
    path("async/", in_an_async_view),
    path("helper/", in_a_helper),
    path("decorated/", decorated(in_the_view)),
    path("partial/", functools.partial(in_the_view)),
    path("class/", InTheClass.as_view()),
    path("form/", InTheForm.as_view()),
    path("plain/", Plain.as_view()),
    path("nothing/", nothing),
    path("", include("tests.stories.urls")),
]
SETS = ["function", "async", "helper", "decorated", "partial", "class", "form"]


@pytest.fixture(autouse=True)
def project(settings):
    settings.ROOT_URLCONF = sys.modules[__name__]
    settings.SESSION_LIMIT_AT_LIMIT = "ask"


@pytest.fixture
def after_choosing(ada, laptop, phone):
    """Return a function that signs in, chooses, and returns the session's data."""
    laptop.sign_in()

    def after_choosing(page, **data):
        data = {"username": "ada", "password": PASSWORD, **data}
        response = phone.post(f"/{page}/", data, headers=HTML)
        assert response.status_code == 303, response.content
        response = choose(phone, live()[0].pk)
        morsel = response.cookies.get("sessionid")
        return phone.stored.get(EXPIRY), morsel["max-age"]

    return after_choosing


@pytest.mark.parametrize("page", SETS)
def test_unticked_the_session_ends_with_the_browser(after_choosing, page):
    """Fails if a choice makes the session longer than the view would have made it."""
    assert after_choosing(page) == (0, "")


@pytest.mark.parametrize("page", SETS)
def test_ticked_the_session_is_as_long_as_any(after_choosing, page, settings):
    field = "remember_me" if page == "form" else "remember"
    expected = (None, settings.SESSION_COOKIE_AGE)
    assert after_choosing(page, **{field: "on"}) == expected


@pytest.mark.parametrize("page", ["plain", "nothing"])
def test_a_page_that_does_not_ask(after_choosing, page, settings):
    """Fails if everybody who chooses is signed out with the browser."""
    assert after_choosing(page) == (None, settings.SESSION_COOKIE_AGE)


@pytest.mark.parametrize("value", ["0", "false", "", "off"])
@pytest.mark.parametrize("field", ["rememberMe", "keep_signed_in", "auth-remember"])
def test_a_field_that_says_no(after_choosing, field, value):
    assert after_choosing("nothing", **{field: value}) == (0, "")


def test_what_was_set_before_the_sign_in_is_known(ada, laptop, phone):
    """The visitor's session had an expiry of its own, and the form no field."""
    laptop.sign_in()
    phone.write()
    phone.get(phone.path("expire") + "?seconds=7200")
    data = {"username": "ada", "password": PASSWORD}
    phone.post("/function/", data, headers=HTML)
    choose(phone, live()[0].pk)
    assert phone.stored[EXPIRY] == 7200
