"""
A person whose session has ended is told why if a page keeps them out, and only then.

A public page may redirect for another reason than a sign-in, with the same parameter.
"""

from __future__ import annotations

import functools

import pytest
from django.contrib import admin
from django.contrib.auth.decorators import (
    login_required,
    permission_required,
    user_passes_test,
)
from django.contrib.auth.mixins import LoginRequiredMixin, UserPassesTestMixin
from django.contrib.auth.views import LoginView, redirect_to_login
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import path, re_path
from django.utils.decorators import method_decorator
from django.views.generic import FormView, TemplateView, View

from tests.stories.people import JSON
from tests.stories.test_addresses_of_a_client import ask
from tests.stories.urls import urlpatterns as project

ELSEWHERE = "https://elsewhere.example"


def page(request, **kwargs):
    return HttpResponse("page")


def redirecting(to):
    """Redirect after a look at the session, as a page does that remembers an answer."""

    def view(request):
        assert "grown" not in request.session
        # HttpResponseRedirect would not accept every address.
        return HttpResponse(status=302, headers={"Location": to})

    return view


def looking(to):
    """Redirect after a look at the user, as a project's own decorator does."""

    def view(request):
        assert not request.user.is_authenticated
        return HttpResponseRedirect(to)

    return view


async def looking_async(request):
    user = await request.auser()
    assert not user.is_authenticated
    return HttpResponseRedirect("/porta/?next=/own/alooking/")


class Gate(TemplateView):
    def get(self, request):
        if request.session.get("grown"):
            return page(request)
        return HttpResponseRedirect(f"/age/?next={request.get_full_path()}")


class Staff(LoginRequiredMixin, View):
    login_url = "/porta/"
    redirect_field_name = "back"


class Owners(UserPassesTestMixin, View):
    redirect_field_name = None

    def test_func(self):
        return False

    def get_login_url(self):
        return f"/porta/{self.kwargs['shop']}/"


@method_decorator(login_required(login_url="porta"), name="dispatch")
class Decorated(View):
    pass


def own(view):
    """Keep visitors out as a project's own decorator does."""

    @functools.wraps(view)
    def wrapper(request):
        if not request.session.get("_auth_user_id"):
            return redirect_to_login(request.get_full_path(), "/staff/logon/")
        return view(request)

    return wrapper


class SignIn(FormView):
    pass


def login(request):
    return page(request)


backoffice = admin.AdminSite(name="backoffice")

urlpatterns = [
    # Sign-in pages, of which a name or nothing tells
    path("porta/", page, name="porta"),
    path("porta/<slug:shop>/", page),
    path("tuer/", LoginView.as_view()),
    path("entrada/", SignIn.as_view()),
    path("ingresso/", login),
    path("eingang/", page, name="staff_signin"),
    path("staff/logon/", page),
    path("backoffice/", backoffice.urls),
    # Barriers
    path("own/login-url/", login_required(page, login_url="/porta/")),
    path("own/field/", login_required(page, "back", "/porta/")),
    path("own/no-field/", login_required(page, None, "/porta/")),
    path("own/permission/", permission_required("x.y", login_url="porta")(page)),
    path("own/test/", user_passes_test(lambda user: user.is_staff, "/porta/")(page)),
    path("own/staff/", Staff.as_view()),
    path("own/owners/<slug:shop>/", Owners.as_view()),
    path("own/decorated/", Decorated.as_view()),
    path("own/function/", own(page)),
    path("own/view/", redirecting("/tuer/?ruecken=1")),
    path("own/class/", redirecting("/entrada/")),
    path("own/named-function/", redirecting("/ingresso/")),
    path("own/url-name/", redirecting("../../eingang/?next=/x/")),
    path("own/looking/", looking("/porta/?next=/own/looking/")),
    path("own/alooking/", looking_async),
    path("own/absolute/", looking(f"{ELSEWHERE}/?r=http://testserver/own/absolute/")),
    path("own/compound/", redirecting("/staff/memberlogin/")),
    path("own/form/", redirecting("/LoginForm/")),
    path("own/sso/", redirecting(f"{ELSEWHERE}/login/?next=/own/sso/")),
    # Public pages
    path("shop/age/", redirecting("/age/?next=/shop/age/")),
    path("shop/gate/", Gate.as_view()),
    path("shop/language/", redirecting("/language/?next=/shop/language/")),
    path("shop/consent/", redirecting("/consent/?return_to=/shop/consent/")),
    path("shop/region/", redirecting("http://testserver/region/?next=/shop/region/")),
    path("shop/host/", redirecting(f"{ELSEWHERE}/?next=http://testserver/shop/host/")),
    path("shop/partner/", looking(f"{ELSEWHERE}/?next=2")),
    path("shop/blog/", looking(f"{ELSEWHERE}/author/?login=no")),
    path("shop/looked/", looking("/age/?next=/shop/looked/")),
    path("shop/agreed/", looking(f"{ELSEWHERE}/cookie-consent/?r=/shop/agreed/")),
    path("shop/adult/", looking("/over-18/?next=/shop/adult/")),
    path("shop/wall/", looking("/agegate/?next=/shop/wall/")),
    path("shop/cookies/", looking("/cookiewall/?next=/shop/cookies/")),
    path("shop/licence/", looking("/legal/eula/?next=/shop/licence/")),
    path("shop/set/", looking("/i18n/setlang/?next=/shop/set/")),
    path("shop/birthdate/", looking("/birthdate/?next=/shop/birthdate/")),
    path("shop/countries/", looking("/countries/?next=/shop/countries/")),
    path("shop/busy/", looking("/waiting-room/?next=/shop/busy/")),
    path("shop/catalog/", redirecting("/catalog-in/")),
    path("shop/moved/", looking("/catalogue/?next=2")),
    path("shop/nowhere/", redirecting("http://[/?next=/shop/nowhere/")),
    re_path(r"^(age|language|consent|region|catalogue)/$", page),
    *project,
]

BARRIERS = [str(each.pattern) for each in urlpatterns if "own/" in str(each.pattern)]
PUBLIC = [str(each.pattern) for each in urlpatterns if "shop/" in str(each.pattern)]


@pytest.fixture(autouse=True)
def urls(settings):
    settings.ROOT_URLCONF = __name__


@pytest.fixture
def displaced(ada, laptop, phone):
    laptop.sign_in()
    phone.sign_in()
    return laptop


@pytest.mark.parametrize("address", [*BARRIERS, "backoffice/", "admin/", "members/"])
@pytest.mark.parametrize("headers", [{}, JSON], ids=["page", "JSON"])
def test_who_is_kept_out_is_told_why(displaced, address, headers):
    address = address.replace("<slug:shop>", "tea")
    assert displaced.get(f"/{address}", headers=headers).status_code == 401


@pytest.mark.parametrize("address", [each for each in PUBLIC if "<" not in each])
@pytest.mark.parametrize("headers", [{}, JSON], ids=["page", "JSON"])
def test_a_public_page_leads_where_it_leads(displaced, browser, address, headers):
    expected = browser().get(f"/{address}", headers=headers)
    found = displaced.get(f"/{address}", headers=headers)
    assert found.status_code == expected.status_code == 302
    assert found["Location"] == expected["Location"]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("/own/field/", "/porta/?back=/own/field/"),
        ("/own/owners/tea/", "/porta/tea/"),
        ("/own/url-name/", "../../eingang/?next=/x/"),
    ],
)
def test_the_explanation_links_to_the_sections_own_page(displaced, address, expected):
    assert f'href="{expected}"' in displaced.get(address).content.decode()


@pytest.mark.parametrize("name", ["back", "zurueck"])
def test_no_parameter_of_the_sections_own_page_leads_away(displaced, name, settings):
    guarded = login_required(page, name, "/porta/")
    settings.ROOT_URLCONF = (re_path("^/evil.example/$", guarded), *urlpatterns)
    answer = ask(displaced, "//evil.example/")
    assert answer.status_code == 401
    assert b"evil" not in answer.content


@pytest.mark.parametrize(
    ("view", "field"),
    [
        (LoginView.as_view(redirect_field_name="return_to"), "return_to"),
        (type("Own", (LoginView,), {"redirect_field_name": "r"}).as_view(), "r"),
        (LoginView.as_view(), "next"),
        (page, "next"),
    ],
)
def test_the_sign_in_page_is_told_in_its_own_parameter_where_to_lead(
    displaced, settings, view, field
):
    settings.ROOT_URLCONF = (path("enter/", view), *urlpatterns)
    settings.LOGIN_URL = "/enter/"
    answer = displaced.get("/forbidden/")
    assert f'href="/enter/?{field}=%2Fforbidden%2F"' in answer.content.decode()


BACK = "http%3A%2F%2Ftestserver%2Fforbidden%2F"


@pytest.mark.parametrize(
    ("login_url", "expected"),
    [
        (f"{ELSEWHERE}/in/", f"{ELSEWHERE}/in/?next={BACK}"),
        (f"{ELSEWHERE}/in/?shop=1", f"{ELSEWHERE}/in/?shop=1&amp;next={BACK}"),
        ("//elsewhere.example/in/", f"//elsewhere.example/in/?next={BACK}"),
        ("http://testserver/in/", "http://testserver/in/?next=%2Fforbidden%2F"),
        ("/in/?shop=1&next=/home/", "/in/?shop=1&amp;next=%2Fforbidden%2F"),
        ("/app/#/in", "/app/?next=%2Fforbidden%2F#/in"),
    ],
)
def test_the_sign_in_page_of_any_form_leads_back_to_this_site(
    displaced, settings, login_url, expected
):
    settings.LOGIN_URL = login_url
    answer = displaced.get("/forbidden/")
    assert f'href="{expected}"' in answer.content.decode()


class Failing(LoginRequiredMixin, View):
    def dispatch(self, request):
        self.page = "/porta/"
        return super().dispatch(request)

    def get_login_url(self):
        return self.page


def test_a_view_that_does_not_name_its_page_is_logged(displaced, settings, caplog):
    settings.ROOT_URLCONF = (path("failing/", Failing.as_view()), *urlpatterns)
    assert displaced.get("/failing/").status_code == 401
    assert "The sign-in page of a view is unknown." in caplog.text
