"""Static files, an event stream and a gateway that nothing serves."""

from __future__ import annotations

import logging

import pytest
from asgiref.sync import async_to_sync
from django.http import HttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import include, path

from session_limit.pages import static_files
from session_limit.views import unserved


def page(request):
    return HttpResponse(str(request.user))


def stopped(request):
    return HttpResponse(status=500)


urlpatterns = [
    path("", page),
    path("account/sessions/", include("session_limit.urls")),
    path("static/session_limit/play.js", page),
    path("static/session_limit/shared.js", stopped),
]


@pytest.fixture(autouse=True)
def once():
    """Log again what is logged once per process."""
    for function in (static_files._log, unserved._warn):
        function.cache_clear()


# Static files


@pytest.mark.urls(__name__)
@pytest.mark.parametrize("name", ["watch.js", "session_limit.css", "clock.js"])
@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_scripts_that_nothing_serves_are_logged_once(client, name, caplog):
    url = f"/static/session_limit/{name}"
    for _ in range(2):
        get = client().get
        if client is AsyncClient:
            get = async_to_sync(get)
        assert get(url).status_code == 404
    [record] = [each for each in caplog.records if each.name == "session_limit"]
    assert record.levelno == logging.ERROR
    assert record.getMessage().startswith("Nothing serves the static files")
    assert url in record.getMessage()
    assert "collectstatic" in record.getMessage()


@pytest.mark.urls(__name__)
@pytest.mark.parametrize(
    "url",
    [
        "/static/session_limit/other.js",
        "/static/session_limit/watch.png",
        # The name that an earlier release had, which an open page may still ask for.
        "/static/session_limit/watch.0123456789ab.js",
        "/media/session_limit/watch.js",
        "/session_limit/watch.js",
        "/static/session_limit/play.js",
        "/static/session_limit/shared.js",
        "/nowhere/",
    ],
)
def test_other_addresses_that_are_not_found_are_not_logged(url, caplog):
    Client(raise_request_exception=False).get(url)
    assert [each for each in caplog.records if each.name == "session_limit"] == []


@pytest.mark.urls(__name__)
@override_settings(STATIC_URL="https://cdn.example.com/")
def test_files_on_another_server_are_none_of_ours(caplog):
    Client().get("/session_limit/watch.js")
    assert [each for each in caplog.records if each.name == "session_limit"] == []


# The event stream and the gateway without what serves them

EVENTS, GATEWAY = "/account/sessions/events/", "/account/sessions/gateway/"


@pytest.mark.urls(__name__)
def test_an_asgi_application_without_the_guard_is_logged_once(caplog):
    for _ in range(2):
        assert async_to_sync(AsyncClient().get)(EVENTS).status_code == 204
    [record] = [each for each in caplog.records if each.name == "session_limit"]
    assert "SessionGuard(get_asgi_application())" in record.getMessage()


@pytest.mark.urls(__name__)
def test_under_wsgi_there_is_no_guard_to_miss(caplog):
    assert Client().get(EVENTS).status_code == 204
    assert [each for each in caplog.records if each.name == "session_limit"] == []


@pytest.mark.urls(__name__)
@pytest.mark.parametrize(
    ("client", "said"),
    [
        (
            Client,
            ["session_limit.wsgi.SessionGateway", "runserver", "WSGI_APPLICATION"],
        ),
        (AsyncClient, ["session_limit.asgi.SessionGuard", "asgi.py"]),
    ],
)
def test_a_gateway_that_nothing_serves(client, said, caplog):
    get = client().get if client is Client else async_to_sync(client().get)
    response = get(GATEWAY)
    assert response.status_code == 503
    text = response.content.decode()
    assert all(each in text for each in said)
    [record] = [each for each in caplog.records if each.name == "session_limit"]
    assert record.getMessage() == text
