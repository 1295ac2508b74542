"""Test what the gateway answers to any method and path, under ASGI and WSGI."""

from __future__ import annotations

import asyncio
import json
import random
import time
import uuid
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.core.handlers.asgi import ASGIHandler
from django.db import connections
from django.test import RequestFactory, override_settings
from django.test.utils import CaptureQueriesContext

from session_limit import gateway, live_keys, registry
from session_limit.asgi import SessionGuard, database_threads, hub
from session_limit.models import DatabaseNow, Play, UserSession
from session_limit.registry import not_counting
from session_limit.store import engines
from session_limit.wsgi import SessionGateway
from tests import stores
from tests.asgi.wire import PATIENCE, locked, scope_of
from tests.interleavings.gates import ROW_LOCKS
from tests.stories.people import mark_as_installed_later

ADDRESS = "/account/sessions/gateway/"
# The middleware of another engine expects more of a session store than Django's offer.
ENGINES_OF_DJANGOS = pytest.mark.skipif(
    django_settings.ENGINE.startswith("qsessions"),
    reason="the test sets one of Django's engines",
)
Reason = UserSession.Reason


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = json.loads(body) if body else None

    @property
    def user(self):
        return self.headers.get("x-session-limit-user")

    @property
    def reason(self):
        return self.headers.get("x-session-limit-reason")


def ask_asgi(visitor, path=ADDRESS, query="", method="GET", **scope):
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        await asyncio.sleep(PATIENCE)

    async def project(scope, receive, send):
        headers = [(b"x-project", b"1")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    @async_to_sync
    async def ask():
        kind = scope_of(visitor, "http", path) | scope
        kind |= {"query_string": query.encode(), "method": method}
        await SessionGuard(project)(kind, receive, send)
        await hub.current_hub().stop()

    ask()
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], headers, sent[1]["body"])


def ask_wsgi(visitor, path=ADDRESS, query="", method="GET", root_path=""):
    headers = {"cookie": cookie_header(visitor)} if visitor.cookie else {}
    request = RequestFactory().generic(method, path, headers=headers)
    environ = request.environ | {"QUERY_STRING": query, "SCRIPT_NAME": root_path}
    environ["PATH_INFO"] = path.removeprefix(root_path)
    began = []

    def start_response(status, headers):
        began.extend([int(status.split()[0]), headers])

    def application(environ, start_response):
        start_response("200 OK", [("X-Project", "1")])
        return [b""]

    body = b"".join(SessionGateway(application)(environ, start_response))
    return Answer(began[0], {n.lower(): v for n, v in began[1]}, body)


def cookie_header(visitor):
    return f"{django_settings.SESSION_COOKIE_NAME}={visitor.cookie}"


@pytest.fixture(params=[ask_asgi, ask_wsgi], ids=["asgi", "wsgi"])
def ask(request):
    live_keys._verified.clear()
    return request.param


def test_who_is_signed_in_may(ada, laptop, ask):
    laptop.sign_in()
    answer = ask(laptop)
    assert (answer.status, answer.user, answer.body) == (200, str(ada.pk), None)
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_whatever_is_asked_with(ada, laptop, ask, method):
    laptop.sign_in()
    for path in (ADDRESS, f"{ADDRESS}films/1.m3u8", f"{ADDRESS}gateway/../x"):
        assert ask(laptop, path, method=method).status == 200
    laptop.cookie = None
    assert ask(laptop, method=method).status == 401


def test_nobody_may_not(ada, laptop, ask):
    answer = ask(laptop)
    assert (answer.status, answer.user, answer.reason) == (401, None, "not_signed_in")
    assert answer.body == {"version": 1, "code": "not_signed_in"}
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    "cookie", ["", "x" * 32, "a" * 10_000, "../../x", '"', "x;y=1"]
)
def test_a_made_up_cookie_may_not(ada, laptop, ask, cookie):
    laptop.cookie = cookie
    assert ask(laptop).status == 401


@pytest.mark.parametrize("space", ["\xa0", "\x85"])
def test_it_reads_the_cookie_that_django_reads(ada, laptop, space):
    """Fails if a byte that is no space in UTF-8 hides a second cookie from Django."""
    laptop.sign_in()
    hidden = f"{space}{cookie_header(laptop)}"
    name, laptop.cookie = django_settings.SESSION_COOKIE_NAME, f"x; {hidden}"
    request = RequestFactory().get("/", headers={"Cookie": cookie_header(laptop)})
    assert request.COOKIES[name] == "x"
    assert ask_wsgi(laptop).status == 401


def test_a_head_request_has_no_body_under_wsgi(laptop):
    """
    The answer to a HEAD request has no body.

    A server may send whatever body it gets, and a proxy may take that for the next
    answer.
    """
    answer = ask_wsgi(laptop, method="HEAD")
    assert (answer.status, answer.body) == (401, None)
    assert int(answer.headers["content-length"]) > 0


def test_an_ended_session_may_not_and_why(ada, laptop, phone, ask):
    laptop.sign_in()
    assert ask(laptop).status == 200
    phone.sign_in()
    answer = ask(laptop)
    assert (answer.status, answer.reason, answer.user) == (401, "displaced", None)
    assert answer.body["code"] == "session_ended"
    assert ask(phone).status == 200
    # Later questions get the reason as well, and so does the page.
    assert ask(laptop).reason == "displaced"
    assert laptop.state == "displaced"


@stores.KEPT
def test_what_is_brought_back_may_not(ada, laptop, phone, ask):
    laptop.sign_in()
    stored = laptop.stored
    phone.sign_in()
    laptop.stored = stored
    assert ask(laptop).reason == "displaced"


def test_another_user_in_the_data_may_not(ada, bob, laptop, ask):
    laptop.sign_in()
    laptop.stored = {**laptop.stored, "_auth_user_id": str(bob.pk)}
    assert ask(laptop).status == 401


def test_a_rotated_key_goes_on(ada, laptop, ask):
    laptop.sign_in()
    laptop.get("/cycle/")
    assert ask(laptop).status == 200


def test_who_was_signed_in_before_installation(ada, laptop, ask, settings):
    laptop.sign_in()
    mark_as_installed_later(laptop)
    expected = 401 if settings.ENGINE == "signed_cookies" else 200
    assert ask(laptop).status == expected


@ENGINES_OF_DJANGOS
def test_a_signed_cookie_is_remembered_no_longer_than_it_is_good(
    ada, laptop, phone, ask, settings
):
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    live_keys._identities.clear()
    laptop.sign_in()
    good = laptop.cookie
    for _ in range(2):
        assert ask(laptop).status == 200
    # Anybody can make up an invalid cookie, so the gateway does not remember it.
    for forged in (good[:-1], f"{good}x", "a:b:c", "x" * 4000):
        laptop.cookie = forged
        assert ask(laptop).status == 401
    assert len(live_keys._identities) == 1
    laptop.cookie = good
    age, settings.SESSION_COOKIE_AGE = settings.SESSION_COOKIE_AGE, -1
    assert ask(laptop).status == 401
    settings.SESSION_COOKIE_AGE = age
    assert ask(laptop).status == 200
    phone.sign_in()
    assert ask(laptop).status == 401


def test_an_idle_one_may_not(ada, laptop, ask, time, settings):
    settings.SESSION_LIMIT_IDLE_TIMEOUT = 600
    laptop.sign_in()
    time.advance(500)
    assert ask(laptop).status == 200
    # The question itself did not count as activity.
    time.advance(200)
    assert ask(laptop).reason == "idle"


def test_activity_where_it_is_asked_for(ada, laptop, ask, time, settings):
    settings.SESSION_LIMIT_IDLE_TIMEOUT = 600
    laptop.sign_in()
    time.advance(500)
    assert ask(laptop, query="activity=1").status == 200
    time.advance(500)
    assert ask(laptop).status == 200


def test_an_account_that_was_disabled_past_any_signal(ada, laptop, ask, monkeypatch):
    """
    The gateway finds within a minute that an account was disabled without a signal.

    The test sets that minute to zero.
    """
    laptop.sign_in()
    assert ask(laptop).status == 200
    get_user_model().objects.update(is_active=False)
    monkeypatch.setattr(live_keys, "VERIFY", 0.0)
    assert ask(laptop).reason == "account_disabled"
    assert ask(laptop).status == 401


def test_a_password_set_in_a_shell(ada, laptop, ask, monkeypatch):
    laptop.sign_in()
    ada.set_password("another")
    ada.save()
    monkeypatch.setattr(live_keys, "VERIFY", 0.0)
    # The request that changes the password may not have stored its session yet, so the
    # gateway waits before it ends the session.
    assert ask(laptop).status == 200
    monkeypatch.setattr(not_counting, "STORED_WITHIN", timedelta())
    assert ask(laptop).reason == "password_changed"


def test_it_costs_one_statement_on_db(ada, laptop, ask, settings):
    laptop.sign_in()
    ask(laptop)
    if ask is ask_asgi or settings.ENGINE != "db":
        return  # it asks in another thread, which is not captured
    with CaptureQueriesContext(connections["default"]) as ran:
        assert ask(laptop).status == 200
    # A new connection may have run statements to set itself up. Ignore those.
    assert sum(query["sql"].startswith("SELECT s.") for query in ran) == 1
    assert sum("session_limit" in query["sql"] for query in ran) == 1


def test_a_database_that_is_away_says_no(ada, laptop, ask, monkeypatch):
    laptop.sign_in()

    def away(*args):
        raise OSError("away")

    monkeypatch.setattr(gateway, "judge", away)
    answer = ask(laptop)
    assert (answer.status, answer.reason) == (503, "unavailable")


@pytest.mark.parametrize("cookie", ['"aaaaaaaaaa\\000aaaaaaaaaa"', '"\\000"'])
def test_a_nul_is_nobodys(ada, laptop, ask, cookie):
    laptop.cookie = cookie
    answer = ask(laptop)
    assert (answer.status, answer.reason) == (401, "not_signed_in")


def test_under_a_prefix_that_ends_as_it_does(ada, laptop, ask):
    laptop.sign_in()
    with override_settings(ROOT_URLCONF="tests.asgi.gateway_urls"):
        path = "/gateway/gateway/"
        assert ask(laptop, path).status == 200
        assert ask(laptop, f"{path}gateway/x").status == 200
    root = "/gateway"
    assert ask(laptop, f"{root}{ADDRESS}", root_path=root).status == 200


@ROW_LOCKS
def test_what_waits_for_a_lock_keeps_no_other_question_waiting(
    ada, laptop, phone, settings, monkeypatch
):
    """Fails if one thread answers both the questions that read and those that renew."""
    # Keep the hub from abandoning the call that waits for the lock.
    monkeypatch.setattr(database_threads, "PATIENCE", 60.0)
    settings.SESSION_LIMIT, settings.SESSION_LIMIT_PLAYS = None, 1
    laptop.sign_in()
    phone.sign_in()
    play = registry.play(laptop.row).play.pk
    took = {}

    async def ask(visitor, query):
        sent = []

        async def send(message):
            sent.append(message)

        kind = scope_of(visitor, "http", ADDRESS)
        began = time.monotonic()
        kind |= {"query_string": query.encode()}
        await SessionGuard(ASGIHandler())(kind, asyncio.Event().wait, send)
        assert sent[0]["status"] == 200
        took[query] = time.monotonic() - began

    @async_to_sync
    async def both():
        # Make the phone's session known, or else another thread answers its questions.
        await ask(phone, "")
        renewing = asyncio.create_task(ask(laptop, f"play={play}&renew=1"))
        await asyncio.sleep(0.2)
        await ask(phone, "")
        assert not renewing.done()
        held.set()
        await renewing
        await hub.current_hub().stop()

    with locked(Play.objects.filter(pk=play)) as held:
        both()
    assert took[""] < PATIENCE / 2


def test_renewing_needs_the_name_of_a_play(ada, laptop, ask, settings):
    settings.SESSION_LIMIT_PLAYS = 1
    laptop.sign_in()
    answer = ask(laptop, query="renew=1")
    assert (answer.status, answer.reason) == (403, "play_required")


@ENGINES_OF_DJANGOS
def test_another_secret_key(ada, laptop, ask, settings):
    """
    The gateway verifies the session's hash, because the data in a cache has no
    signature that a change of the secret key would break.
    """
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
    laptop.sign_in()
    assert ask(laptop).status == 200
    settings.SECRET_KEY = "another"
    live_keys._verified.clear()
    answer = ask(laptop)
    assert (answer.status, answer.reason) == (401, "credentials_changed")


def test_under_a_prefix(ada, laptop, ask):
    laptop.sign_in()
    path = f"/shop{ADDRESS}"
    assert ask(laptop, path, root_path="/shop").status == 200


@pytest.mark.parametrize(
    "path", ["/gateway/", "/other/gateway/x", "/account/sessions/gateway", "/feed/"]
)
def test_other_addresses_are_the_projects(ada, laptop, path):
    laptop.sign_in()
    for ask in (ask_wsgi, ask_asgi):
        assert ask(laptop, path).headers["x-project"] == "1"


def test_where_nothing_serves_it_says_so(ada, laptop):
    laptop.sign_in()
    answer = laptop.get(ADDRESS)
    assert answer.status_code == 503
    assert "session_limit.wsgi.SessionGateway" in answer.content.decode()
    # The command runserver serves wsgi.py only if this setting names it.
    assert "WSGI_APPLICATION" in answer.content.decode()
    assert "sessionid" not in answer.cookies


def test_a_user_whose_key_no_header_carries(ada, laptop, ask):
    verdict = gateway.Verdict(gateway.HTTPStatus.OK, "live", user_id="a\r\nb: ü")
    assert dict(verdict.headers)["X-Session-Limit-User"] == "a%0D%0Ab%3A%20%C3%BC"


# The parameters of a question


@pytest.mark.parametrize(
    "query",
    [
        "plays=any",
        "Play=any",
        "play=any&x=1",
        "play=any&play=any",
        "renew",
        "play=any&renew=yes",
        "activity=true",
        "activity=",
        "Of=/x",
        "of",
        "x&of=/film",
        "plays=any&of=/media/film",
        "play=x&" * 2_000,
        "%00=1",
        "\xff=\xfe",
        "=",
    ],
)
def test_a_misspelt_question_is_refused(ada, laptop, ask, query):
    laptop.sign_in()
    for cookie in (laptop.cookie, None):
        laptop.cookie = cookie
        answer = ask(laptop, query=query)
        assert (answer.status, answer.reason) == (403, "unknown_parameter")
        assert answer.body == {"version": 1, "code": "unknown_parameter"}


@pytest.mark.parametrize(
    "query", ["", "&", "renew=0", "activity=0", "of=/x?plays=any", "activity=0&of="]
)
def test_what_asks_for_a_session_alone(ada, laptop, ask, query):
    laptop.sign_in()
    assert ask(laptop, query=query).status == 200


def test_below_the_address_the_query_may_be_the_guarded_requests(ada, laptop, ask):
    laptop.sign_in()
    path = f"{ADDRESS}films/"
    for query in ("plays=any", "x=1&x=2", "renew=yearly", "of=/x&play=any", "\xff"):
        assert ask(laptop, path, query=query).status == 200
    # The gateway still answers a question that the proxy has added.
    for query in ("play=any", "x=1&play=any", "play=any&play=x"):
        assert ask(laptop, path, query=query).status == 403


# What the gateway remembers


# The gateway does not remember sessions that it reads from two databases.
@pytest.mark.skipif(
    django_settings.ENGINE == "db_elsewhere",
    reason="the test sets an engine of its own",
)
@ENGINES_OF_DJANGOS
@pytest.mark.parametrize("engine", ["db", "signed_cookies"])
def test_memory_does_not_grow_with_what_a_session_holds(ada, laptop, ask, engine):
    """Fails if the gateway remembers the session's data, or a part of it."""

    def held_after(size):
        live_keys._identities.clear()
        for number in range(8):
            # Random data, because it cannot be compressed.
            held = {"cart": random.Random(number).randbytes(size).hex()}
            laptop.stored = {**laptop.stored, **held}
            assert ask(laptop).status == 200
        kept = [*live_keys._identities._entries.items()]
        assert kept
        return sum(len(repr(each)) for each in kept) / len(kept)

    with override_settings(
        SESSION_ENGINE=f"django.contrib.sessions.backends.{engine}",
    ):
        laptop.sign_in()
        assert held_after(10) == pytest.approx(held_after(3_000), rel=0.2)


@ENGINES_OF_DJANGOS
def test_an_id_of_any_size_is_not_remembered():
    live_keys._identities.clear()
    data = {engines.ID: "x" * 32, "_auth_user_id": "1" * live_keys.LONGEST_ID}
    for longer, remembered in (("", 1), ("1", 1)):
        data["_auth_user_id"] += longer
        signed = f"signed{longer}"
        live_keys._identity_in(None, signed, lambda: data)
        assert len(live_keys._identities) == remembered


# Plays


@pytest.fixture
def playing(ada, laptop, settings):
    """Return the id of the laptop's play."""
    settings.SESSION_LIMIT = None
    settings.SESSION_LIMIT_PLAYS = 1
    laptop.sign_in()
    return registry.play(laptop.row).play.pk


def lapse(id):
    Play.objects.filter(pk=id).update(lease_until=DatabaseNow() - timedelta(seconds=1))


def test_what_plays_may(laptop, playing, ask):
    for play in (playing, playing.hex, "any"):
        assert ask(laptop, query=f"play={play}").status == 200


def test_what_does_not_play_may_not(laptop, phone, playing, ask):
    phone.sign_in()
    for play in ("", "x", playing, uuid.uuid4(), "any", "0" * 1000):
        answer = ask(phone, query=f"play={play}")
        assert (answer.status, answer.reason) == (403, "play_required"), play
        assert answer.body == {"version": 1, "code": "play_required"}


def test_a_displaced_play_may_not_and_why(laptop, phone, playing, ask):
    phone.sign_in()
    second = registry.play(phone.row).play.pk
    answer = ask(laptop, query=f"play={playing}")
    assert (answer.status, answer.reason) == (403, "displaced")
    assert answer.body["code"] == "play_ended"
    assert ask(laptop, query="play=any").status == 403
    assert ask(laptop).status == 200  # the session is live
    assert ask(phone, query=f"play={second}").status == 200


def test_one_that_has_lapsed_may_not(laptop, playing, ask):
    lapse(playing)
    assert ask(laptop, query=f"play={playing}").reason == "lapsed"
    # Renewing does not bring a lapsed play back.
    assert ask(laptop, query=f"play={playing}&renew=1").reason == "lapsed"
    assert ask(laptop, query="play=any").status == 403


def test_an_ended_session_plays_nothing(ada, laptop, playing, ask):
    registry.end_all(ada, Reason.REVOKED)
    answer = ask(laptop, query=f"play={playing}")
    assert (answer.status, answer.reason) == (401, "revoked")


def test_it_renews_where_it_is_asked_to(laptop, playing, ask):
    soon = DatabaseNow() + timedelta(seconds=5)
    Play.objects.update(lease_until=soon)
    before = Play.objects.get().lease_until
    assert ask(laptop, query=f"play={playing}").status == 200
    assert Play.objects.get().lease_until == before
    assert ask(laptop, query=f"play={playing}&renew=1").status == 200
    assert Play.objects.get().lease_until > before + timedelta(seconds=20)


def test_a_renewal_is_one_statement(laptop, playing, ask):
    query = f"play={playing}&renew=1"
    assert ask(laptop, query=query).status == 200
    if ask is ask_asgi:
        return  # it asks in another thread, which is not captured
    with CaptureQueriesContext(connections["default"]) as ran:
        assert ask(laptop, query=query).status == 200
    assert sum("session_limit" in query["sql"] for query in ran) == 1


def test_a_renewal_for_an_ended_session(ada, laptop, playing, ask):
    query = f"play={playing}&renew=1"
    assert ask(laptop, query=query).status == 200
    registry.end_all(ada, Reason.REVOKED)
    before = Play.objects.get().lease_until
    answer = ask(laptop, query=query)
    assert (answer.status, answer.reason) == (401, "revoked")
    assert Play.objects.get().lease_until == before


def test_the_guarded_query_asks_nothing(laptop, phone, playing, ask):
    """
    Envoy appends the client's path and query to the proxy's own question as ``of``. The
    gateway must ignore whatever the client writes there.
    """
    phone.sign_in()
    for guarded in ("/media/film", f"/film?x&play={playing}", "&play=any&of=&renew=1"):
        assert ask(laptop, query=f"play=any&of={guarded}").status == 200
        answer = ask(phone, query=f"play=any&of={guarded}")
        assert (answer.status, answer.reason) == (403, "play_required")


def test_where_no_plays_are_counted_none_is_found(laptop, playing, ask, settings):
    del settings.SESSION_LIMIT_PLAYS
    assert ask(laptop, query=f"play={playing}").reason == "no_plays"
    assert ask(laptop).status == 200


@stores.CHOSEN
@pytest.mark.parametrize("engine", stores.THAT_KEEP)
@pytest.mark.parametrize("query", ["", "activity=1"])
def test_a_restored_copy_from_before_a_password_change_is_nobodys(
    ada, ask, laptop, settings, tmp_path, engine, query
):
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    settings.SESSION_FILE_PATH = f"{tmp_path}"
    laptop.sign_in()
    thief, data = laptop.twin(), laptop.stored
    laptop.change_password("another secret")
    thief.stored = data
    answer = ask(thief, query=query)
    assert (answer.status, answer.reason) == (401, "not_signed_in")
    assert ask(laptop, query=query).status == 200


@ENGINES_OF_DJANGOS
@pytest.mark.parametrize("query", ["", "activity=1"])
def test_a_cookie_from_before_a_password_change_is_nobodys(
    ada, ask, laptop, settings, query
):
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    laptop.sign_in()
    thief = laptop.twin()
    laptop.change_password("another secret")
    answer = ask(thief, query=query)
    assert (answer.status, answer.reason) == (401, "not_signed_in")
    assert ask(laptop, query=query).status == 200
