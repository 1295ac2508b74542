"""After a choice, a person goes where the project's own sign-in would have led."""

from __future__ import annotations

import re

import pytest
from django import forms
from django.contrib.auth import authenticate, login
from django.contrib.auth.views import LoginView
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import include, path
from django.views.generic import FormView, RedirectView, TemplateView

from session_limit.models import PendingSignIn
from session_limit.rules import Rules
from tests.stories.people import PASSWORD, SIGNED_IN
from tests.stories.urls import urlpatterns as project

APP = "https://app.example/x/?a=1"


class Hosts(LoginView):
    success_url_allowed_hosts = {"app.example"}


class Welcome(LoginView):
    def get_default_redirect_url(self):
        return f"/welcome/{self.request.user.get_username()}/"


class Own(LoginView):
    def get_success_url(self):
        return "../there/"


class Broken(LoginView):
    def form_valid(self, form):
        login(self.request, form.get_user())
        return HttpResponseRedirect("/nowhere/")

    def get_success_url(self):
        return self.request.session["no such key"]


class Malformed(LoginView):
    def get_success_url(self):
        return "http://[/"


class Credentials(forms.Form):
    username = forms.CharField()
    password = forms.CharField()


class Home(FormView):
    """A sign-in of a project's own, which knows ``LoginView`` not."""

    form_class = Credentials
    success_url = "/home/"

    def form_valid(self, form):
        login(self.request, authenticate(self.request, **form.cleaned_data))
        return super().form_valid(form)


class Step(RedirectView):
    """A page with a method of this name that is no sign-in page of Django's."""

    def post(self, request):
        return sign_in(request)

    def get_redirect_url(self, *args, **kwargs):
        raise AssertionError


class Account(TemplateView):
    """As in django-oscar, the page has two forms, each with a prefix."""

    def post(self, request):
        return sign_in(request, prefix="login-")


def sign_in(request, prefix=""):
    names = {name: request.POST[f"{prefix}{name}"] for name in ("username", "password")}
    login(request, authenticate(request, **names))
    return HttpResponse("in")


urlpatterns = [
    path("in/plain/", LoginView.as_view()),
    path("in/field/", LoginView.as_view(redirect_field_name="return_to")),
    path("in/odd/", LoginView.as_view(redirect_field_name="zurueck")),
    path("in/page/", LoginView.as_view(next_page="/welcome/")),
    path("in/hosts/", Hosts.as_view()),
    path("in/default/", Welcome.as_view()),
    path("in/own/", Own.as_view()),
    path("in/broken/", Broken.as_view()),
    path("in/malformed/", Malformed.as_view()),
    path("in/home/", Home.as_view()),
    path("in/step/", Step.as_view()),
    path("in/account/", Account.as_view()),
    path("in/function/", sign_in),
    path("in/included/", include([path("<slug:shop>/", Welcome.as_view())])),
    *project,
]


class Onwards(Rules):
    def after_sign_in(self, request, url):
        return f"/for/{request.user.get_username()}{url or '/'}"


class Elsewhere(Rules):
    def after_sign_in(self, request, url):
        return APP


@pytest.fixture(autouse=True)
def asking(settings):
    settings.SESSION_LIMIT_AT_LIMIT = "ask"
    settings.ROOT_URLCONF = __name__


@pytest.fixture
def leads(ada, laptop, phone):
    """Return where a refused sign-in leads after the person's choice."""
    laptop.sign_in()

    def leads(address, fields=None, *, prefix=""):
        names = {f"{prefix}username": "ada", f"{prefix}password": PASSWORD}
        answer = phone.post(address, {**names, **(fields or {})})
        assert answer.status_code == 303
        page = phone.get(answer["Location"]).content.decode()
        (code,) = re.findall(r'name="choice" value="([^"]+)"', page)
        answer = phone.post(answer["Location"], {"choice": code, "end": "all"})
        assert answer.status_code == 302
        assert phone.state == SIGNED_IN
        return answer["Location"]

    return leads


@pytest.mark.parametrize(
    ("address", "fields", "expected"),
    [
        ("/in/plain/?next=/public/", {}, "/public/"),
        ("/in/plain/?next=/a/", {"next": "/b/?c=1"}, "/b/?c=1"),
        ("/in/plain/", {}, "/"),
        ("/in/plain/", {"return_to": "/x/"}, "/"),
        ("/in/field/?return_to=/public/", {}, "/public/"),
        ("/in/field/", {"return_to": "/public/"}, "/public/"),
        ("/in/field/?next=/public/", {}, "/"),
        ("/in/odd/?zurueck=/public/", {}, "/public/"),
        ("/in/page/", {}, "/welcome/"),
        ("/in/page/?next=/public/", {}, "/public/"),
        ("/in/hosts/", {"next": APP}, APP),
        ("/in/hosts/?next=http://testserver/x/", {}, "/x/"),
        ("/in/default/", {}, "/welcome/ada/"),
        ("/in/included/tea/", {}, "/welcome/ada/"),
        ("/in/own/", {}, "/in/there/"),
        ("/in/home/", {}, "/home/"),
        ("/in/home/", {"redirect_to": "/x/"}, "/x/"),
        ("/in/function/", {}, "/"),
        ("/in/function/?returnUrl=/x/", {}, "/x/"),
        ("/in/function/", {"came_from": "/x/", "next": "/y/"}, "/y/"),
        ("/in/step/", {"continue": "/x/"}, "/x/"),
    ],
)
def test_where_a_sign_in_leads(leads, address, fields, expected):
    assert leads(address, fields) == expected


def test_a_form_with_a_prefix(leads):
    fields = {"login-redirect_url": "/basket/", "registration-redirect_url": ""}
    assert leads("/in/account/", fields, prefix="login-") == "/basket/"


@pytest.mark.parametrize(
    ("address", "fields"),
    [
        ("/in/plain/", {"next": APP}),
        ("/in/hosts/", {"next": "https://evil.example/"}),
        ("/in/hosts/", {"next": "http://testserver//evil.example/"}),
        ("/in/hosts/", {"next": "javascript:alert(1)//app.example"}),
        ("/in/function/", {"next": APP}),
        ("/in/function/", {"return_to": "//evil.example/"}),
        ("/in/function/", {"feedback": "/x/", "background": "/x/", "username2": "/x/"}),
    ],
)
def test_no_form_leads_to_another_site_by_itself(leads, address, fields):
    assert leads(address, fields) == "/"


@pytest.mark.parametrize("address", ["/in/broken/", "/in/malformed/"])
def test_a_view_that_fails_leads_to_the_default(leads, caplog, address):
    assert leads(address) == "/"
    assert "The view does not say where its sign-in leads." in caplog.text


def test_rules_correct_the_address(leads, settings):
    settings.SESSION_LIMIT_RULES = f"{__name__}.Onwards"
    assert leads("/in/page/") == "/for/ada/welcome/"


def test_rules_are_asked_if_no_address_is_known(leads, settings):
    settings.SESSION_LIMIT_RULES = f"{__name__}.Onwards"
    assert leads("/in/function/") == "/for/ada/"


def test_rules_may_lead_to_another_site(leads, settings):
    settings.SESSION_LIMIT_RULES = f"{__name__}.Elsewhere"
    assert leads("/in/function/") == APP


def test_an_address_of_another_site_is_stored_with_a_signature(ada, laptop, phone):
    laptop.sign_in()
    phone.sign_in(path=f"/in/hosts/?next={APP}")
    (pending,) = PendingSignIn.objects.all()
    assert "app.example" not in pending.next
    PendingSignIn.objects.update(next=APP)
    page = phone.get("/account/sessions/choose/").content.decode()
    (code,) = re.findall(r'name="choice" value="([^"]+)"', page)
    data = {"choice": code, "end": "all"}
    assert phone.post("/account/sessions/choose/", data)["Location"] == "/"


def test_the_refused_browser_stays_anonymous(ada, laptop, phone):
    laptop.sign_in()
    answer = phone.sign_in(path="/in/default/")
    request = getattr(answer, "wsgi_request", None) or answer.asgi_request
    assert not request.user.is_authenticated
