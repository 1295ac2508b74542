"""An answer of the package keeps what other middleware has put on the response."""

from __future__ import annotations

import pytest
from django.http import HttpResponse, JsonResponse
from django.urls import path
from django.utils.cache import patch_vary_headers
from django.utils.deprecation import MiddlewareMixin

from session_limit.pages import kept_headers, responses
from tests.stories.people import JSON
from tests.stories.urls import urlpatterns as project_urls

KEPT = {
    "Access-Control-Allow-Credentials": "true",
    "Access-Control-Allow-Origin": "https://app.example",
    "Access-Control-Expose-Headers": "Session-Limit",
    "Content-Language": "en",
    "Content-Security-Policy": "default-src 'self'",
    "Content-Security-Policy-Report-Only": "img-src 'self'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Link": '</site.css>; rel="preload"',
    "Permissions-Policy": "camera=()",
    "Referrer-Policy": "same-origin",
    "Server-Timing": "db;dur=1",
    "Strict-Transport-Security": "max-age=60",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "X-Request-ID": "r-1",
}
REPLACED = {
    "Accept-Ranges": "bytes",
    "Age": "7",
    "CDN-Cache-Control": "max-age=60",
    "Cloudflare-CDN-Cache-Control": "max-age=60",
    "Content-Disposition": "attachment",
    "Content-Encoding": "br",
    "Content-Length": "1234567",
    "Content-Location": "/elsewhere/",
    "Content-Range": "bytes 0-1/2",
    "ETag": '"1"',
    "HX-Push-Url": "/elsewhere/",
    "HX-Trigger": "saved",
    "Last-Modified": "Mon, 30 Nov 2026 12:00:00 GMT",
    "Refresh": "5",
    "Retry-After": "5",
    "Surrogate-Control": "max-age=60",
    "WWW-Authenticate": 'Basic realm="site"',
    "X-Accel-Expires": "60",
    "X-Accel-Redirect": "/members/film.mp4",
    "X-Inertia": "true",
    "X-Sendfile": "/members/film.mp4",
}


class Adding(MiddlewareMixin):
    """Add headers and cookies to each response, inside the package's middleware."""

    headers = KEPT

    def process_response(self, request, response):
        for name, value in self.headers.items():
            response.headers.setdefault(name, value)
        patch_vary_headers(response, ["Origin", "Accept"])
        response.set_cookie("remember_choice", "1", max_age=60, samesite="Lax")
        response.delete_cookie("step")
        response.set_cookie("sessionid", "not-from-here")
        return response


def barred(request):
    kind = HttpResponse if "page" in request.GET else JsonResponse
    status = 200 if request.user.is_authenticated else 403
    response = kind({}, status=status)
    for name, value in REPLACED.items():
        response.headers[name] = value
    return response


urlpatterns = [*project_urls, path("barred/", barred)]


@pytest.fixture(autouse=True)
def adding(settings):
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.Adding"]


@pytest.fixture
def displaced(ada, laptop, phone):
    laptop.sign_in()
    phone.sign_in()
    return laptop


def kept(response):
    return {name: response.headers.get(name) for name in KEPT}


def vary(response):
    return {name.strip() for name in response.headers["Vary"].split(",")}


FORMS = pytest.mark.parametrize(
    "headers", [JSON, {"HX-Request": "true"}, {}], ids=["JSON", "htmx", "page"]
)


@FORMS
def test_an_ended_session(displaced, headers):
    response = displaced.get("/barred/", headers=headers)
    assert response.status_code == 401
    assert kept(response) == KEPT
    assert {"Origin", "Accept"} <= vary(response)
    assert response.cookies["remember_choice"]["max-age"] == 60
    assert response.cookies["remember_choice"]["samesite"] == "Lax"
    assert response.cookies["step"]["max-age"] == 0
    session = response.cookies.get("sessionid")
    assert session is None or session.value != "not-from-here"


@FORMS
def test_what_describes_the_body_is_replaced(displaced, headers):
    response = displaced.get("/barred/", headers=headers)
    replaced = {
        name: value
        for name, value in REPLACED.items()
        if response.headers.get(name) == value
    }
    assert replaced == {}
    assert response.headers["Cache-Control"].startswith("max-age=0, no-cache")


@pytest.mark.parametrize("at_limit", ["deny", "ask"])
@pytest.mark.parametrize("headers", [JSON, {}], ids=["JSON", "page"])
def test_a_refused_sign_in(ada, laptop, phone, settings, at_limit, headers):
    settings.SESSION_LIMIT_AT_LIMIT = at_limit
    laptop.sign_in()
    response = phone.sign_in(headers=headers)
    assert response.status_code in {303, 403, 409}
    assert kept(response) == KEPT
    assert "remember_choice" in response.cookies


def test_a_view_may_be_shown_in_any_frame(displaced, phone, settings):
    """The explanation is then shown there, too."""
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE[:-1],
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ]
    displaced.client.handler._middleware_chain = None
    assert displaced.open().headers["X-Frame-Options"] == "DENY"
    displaced.sign_in()
    phone.sign_in()
    response = displaced.get("/framed/")
    assert response.status_code == 401
    assert "X-Frame-Options" not in response.headers


def framed(request):
    response = HttpResponse(status=403)
    assert not request.user.is_authenticated
    response.xframe_options_exempt = True
    return response


urlpatterns.append(path("framed/", framed))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('Basic realm="site"', None),
        ("Negotiate", None),
        ("NTLM", None),
        ('Digest realm="site"', None),
        ('Bearer realm="api"', 'Bearer realm="api"'),
        ("Session", "Session"),
    ],
)
@pytest.mark.parametrize("served", ["sync"])
def test_a_challenge_that_opens_a_dialog_is_left_out(served, value, expected):
    answer, response = HttpResponse(), HttpResponse()
    response.headers["WWW-Authenticate"] = value
    kept_headers.keep(answer, response)
    assert answer.headers.get("WWW-Authenticate") == expected


@pytest.mark.parametrize("served", ["sync"])
def test_what_the_answer_has_stays(served):
    answer, response = HttpResponse(headers={"X-Own": "1"}), HttpResponse()
    answer.set_cookie("own", "1")
    response.headers["X-Own"] = "2"
    response.set_cookie("own", "2")
    response.headers["Vary"] = "Accept, Cookie"
    answer.headers["Vary"] = "Cookie"
    kept_headers.keep(answer, response)
    assert answer.headers["X-Own"] == "1"
    assert answer.cookies["own"].value == "1"
    assert answer.headers["Vary"] == "Cookie, Accept"


@pytest.mark.parametrize("served", ["sync"])
def test_a_request_to_try_again_keeps_them_too(served):
    """A script on another origin could not read Retry-After otherwise."""
    response = HttpResponse(status=500, headers=KEPT)
    answer = responses.retry(response)
    assert answer.status_code == 503
    assert kept(answer) == KEPT
    assert answer.headers["Retry-After"] == "1"
