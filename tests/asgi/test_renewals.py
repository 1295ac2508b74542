"""``SessionGuard`` renews plays before Django's handler, and Django's view refuses."""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from datetime import timedelta
from time import monotonic
from unittest import mock

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.core.asgi import get_asgi_application
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.middleware.csrf import CsrfViewMiddleware
from django.utils import timezone

from session_limit import live_keys, registry
from session_limit.asgi import SessionGuard, database_threads, hub, renewal_groups
from session_limit.asgi.database_threads import NotAnswered
from session_limit.models import DatabaseNow, Play, UserSession
from session_limit.registry import not_counting
from session_limit.registry.connected import standings
from session_limit.rules import Rules
from session_limit.store import identification
from session_limit.utils.clock import utc_now
from tests import stores
from tests.asgi.wire import PATIENCE, locked, scope_of, until
from tests.interleavings.gates import ROW_LOCKS, on
from tests.stories.people import Visitor, statements

TOKEN = "c" * 32
JSON = [(b"content-type", b"application/json"), (b"accept", b"application/json")]
CSRF = [(b"x-csrftoken", TOKEN.encode()), (b"origin", b"http://testserver")]
USUAL = (*JSON, *CSRF)


@pytest.fixture(autouse=True)
def plays(settings):
    settings.SESSION_LIMIT, settings.SESSION_LIMIT_PLAYS = None, 1
    memories = live_keys._remembered, live_keys._verified, live_keys._identities
    for memory in memories:
        memory.clear()
    live_keys._waiting.clear()


@pytest.fixture
def playing(ada, laptop):
    """Return the id of the laptop's play."""
    laptop.sign_in()
    return registry.play(laptop.row).play.pk


class Answer:
    def __init__(self, sent, ran, *, reached):
        [start, *bodies] = sent
        self.status = start["status"]
        self.headers = {n.decode().lower(): v.decode() for n, v in start["headers"]}
        body = b"".join(each.get("body", b"") for each in bodies)
        is_json = self.headers.get("content-type") == "application/json"
        self.body = json.loads(body) if is_json else body
        # Whether Django's handler served the request
        self.reached = reached
        self.statements = [sql for sql in ran if "session_limit_" in sql]


def renew(visitor, play, headers=USUAL, body=b"{}", cookies=None, **scope):
    """Send the request with which a player renews a play, through ``SessionGuard``."""
    sent, ran, reached = [], [], []
    execute = CursorWrapper.execute
    django = get_asgi_application()

    async def send(message):
        sent.append(message)

    async def application(scope, receive, send):
        reached.append(True)
        await django(scope, receive, send)

    def executing(self, sql, params=None):
        ran.append(sql)
        return execute(self, sql, params)

    async def receive():
        if receive.body is None:
            await asyncio.sleep(60)
        said, receive.body = receive.body, None
        return {"type": "http.request", "body": said, "more_body": False}

    receive.body = body

    @async_to_sync
    async def ask():
        path = f"/account/sessions/plays/{play}/renew/"
        kind = scope_of(visitor, "http", path, headers) | {"method": "POST"} | scope
        jar = cookies or f"csrftoken={TOKEN}"
        kind["headers"] = [
            (name, value + b"; " + jar.encode() if name == b"cookie" else value)
            for name, value in kind["headers"]
        ]
        await SessionGuard(application)(kind, receive, send)
        await hub.current_hub().stop()

    with mock.patch.object(CursorWrapper, "execute", executing):
        ask()
    return Answer(sent, ran, reached=bool(reached))


def lease_of(play):
    return Play.objects.get(pk=play).lease_until


def shorten(play):
    """Let the lease run out soon, and return when."""
    soon = DatabaseNow() + timedelta(seconds=5)
    Play.objects.filter(pk=play).update(lease_until=soon)
    return lease_of(play)


def is_renewed(play, before):
    return lease_of(play) > before + timedelta(seconds=20)


def test_a_usual_renewal_needs_no_handler(laptop, playing):
    before = shorten(playing)
    answer = renew(laptop, playing)
    assert (answer.status, answer.reached) == (200, False)
    assert is_renewed(playing, before)
    path = f"/account/sessions/plays/{playing}/renew/"
    views = laptop.post(path, "{}", content_type="application/json")
    assert answer.body == views.json()
    # The date may be a second later.
    theirs = {name.lower() for name in views.headers} - {"expires"}
    for name in theirs - {"x-frame-options", "x-content-type-options"}:
        if name in answer.headers:
            assert answer.headers[name] == views.headers[name]
    assert answer.headers["cache-control"] == views.headers["Cache-Control"]
    assert answer.headers["vary"] == "Cookie"
    assert answer.headers["content-length"] == str(len(views.content))
    assert "set-cookie" not in answer.headers


def test_a_renewal_is_one_statement(laptop, playing):
    assert not renew(laptop, playing).reached
    before = shorten(playing)
    answer = renew(laptop, playing)
    assert (answer.status, answer.reached) == (200, False)
    [update] = answer.statements
    assert "UPDATE" in update
    assert is_renewed(playing, before)


def test_under_a_prefix(laptop, playing):
    path = f"/shop/account/sessions/plays/{playing}/renew/"
    assert not renew(laptop, playing, path=path, root_path="/shop").reached


# Posts of other sites, and requests that only Django's view can judge

FORM = (b"content-type", b"application/x-www-form-urlencoded")
REFUSED = {
    "no token": (JSON, {}),
    "a wrong token": ([*JSON, (b"x-csrftoken", b"d" * 32)], {}),
    "a malformed token": ([*JSON, (b"x-csrftoken", b"c")], {}),
    "another site": ([*JSON, CSRF[0], (b"origin", b"http://evil.test")], {}),
    "no origin": ([*JSON, CSRF[0], (b"origin", b"null")], {}),
    "another scheme": ([*JSON, CSRF[0], (b"origin", b"https://testserver")], {}),
    "no referer": ([*JSON, CSRF[0]], {"scheme": "https"}),
    "no secret": (USUAL, {"cookies": "other=1"}),
    "another secret": (USUAL, {"cookies": f"csrftoken={'d' * 32}"}),
    "a form without a token": ([FORM, CSRF[1]], {"body": b"play=1"}),
    "a form with a wrong token": (
        [FORM, *CSRF],
        {"body": b"csrfmiddlewaretoken=" + b"d" * 32},
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_post_of_another_site_renews_nothing(laptop, playing, name):
    headers, scope = REFUSED[name]
    assert not renew(laptop, playing).reached
    before = shorten(playing)
    answer = renew(laptop, playing, headers, **scope)
    assert (answer.status, answer.reached) == (403, True)
    assert lease_of(playing) == before


UNUSUAL = {
    "a form": ([FORM, CSRF[1]], {"body": f"csrfmiddlewaretoken={TOKEN}".encode()}),
    "a token of an API": ([*USUAL, (b"authorization", b"Bearer x")], {}),
    "a quoted cookie": (USUAL, {"cookies": f'csrftoken={TOKEN}; a="\\001"'}),
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_an_unusual_request_is_the_views(laptop, playing, name):
    headers, scope = UNUSUAL[name]
    assert not renew(laptop, playing).reached
    before = shorten(playing)
    answer = renew(laptop, playing, headers, **scope)
    assert (answer.status, answer.reached) == (200, True)
    assert is_renewed(playing, before)


class InTenants(Rules):
    def tenant(self, request):
        return None


@pytest.mark.parametrize(
    "changes",
    [
        {"SESSION_SAVE_EVERY_REQUEST": True},
        {"CSRF_USE_SESSIONS": True},
        {"SESSION_LIMIT_RULES": f"{__name__}.InTenants"},
        {"MIDDLEWARE": ["tests.asgi.test_renewals.StricterCsrf"]},
        {"SESSION_LIMIT_PLAYS": ...},
    ],
    ids=str,
)
def test_an_unusual_project_has_its_own_view(laptop, playing, changes, settings):
    assert not renew(laptop, playing).reached
    for name, value in changes.items():
        if value is ...:
            delattr(settings, name)
        elif name == "MIDDLEWARE":
            theirs = "django.middleware.csrf.CsrfViewMiddleware"
            others = [each for each in settings.MIDDLEWARE if each != theirs]
            settings.MIDDLEWARE = [*others, *value]
        else:
            setattr(settings, name, value)
    assert renew(laptop, playing).reached


def test_a_host_that_is_not_allowed(laptop, playing, settings):
    # Over HTTP, Django accepts a request without an Origin.
    usual = [*JSON, CSRF[0]]
    assert not renew(laptop, playing, usual).reached
    settings.ALLOWED_HOSTS = ["elsewhere.test"]
    before = shorten(playing)
    answer = renew(laptop, playing, usual)
    assert (answer.status, answer.reached) == (400, True)
    assert lease_of(playing) == before


class StricterCsrf(CsrfViewMiddleware):
    pass


def test_other_requests_are_the_projects(laptop, playing):
    before = shorten(playing)
    assert renew(laptop, playing, method="GET").status == 405
    assert renew(laptop, playing, path="/other/renew/").status == 404
    nobody = Visitor()
    assert renew(nobody, playing).status == 401 or not nobody.cookie
    assert lease_of(playing) == before


# Plays and sessions that have ended


def refused(visitor, play, before):
    """Return the view's answer to a renewal that must change nothing."""
    answer = renew(visitor, play)
    assert answer.reached
    assert answer.status != 200, answer.body
    assert lease_of(play) == before
    return answer


def test_a_play_that_has_ended(laptop, phone, playing):
    assert not renew(laptop, playing).reached
    phone.sign_in()
    second = registry.play(phone.row).play.pk
    before = lease_of(playing)
    answer = refused(laptop, playing, before)
    assert (answer.status, answer.body["reason"]) == (410, "displaced")
    past = DatabaseNow() - timedelta(seconds=1)
    Play.objects.filter(pk=second).update(lease_until=past)
    answer = refused(phone, second, lease_of(second))
    assert (answer.status, answer.body["reason"]) == (410, "lapsed")


def test_another_sessions_play(laptop, phone, playing, bob):
    phone.sign_in("bob")
    before = shorten(playing)
    for _ in range(2):
        assert refused(phone, playing, before).status == 404
    assert renew(laptop, uuid.uuid4()).status == 404


def test_a_session_that_has_ended(ada, laptop, playing):
    assert not renew(laptop, playing).reached
    before = shorten(playing)
    registry.end_all(ada, UserSession.Reason.REVOKED)
    answer = refused(laptop, playing, before)
    assert (answer.status, answer.body["reason"]) == (401, "revoked")


def test_an_ended_session_that_is_still_stored(laptop, playing):
    assert not renew(laptop, playing).reached
    before = shorten(playing)
    ended_at = timezone.now()
    UserSession.objects.update(ended_at=ended_at, ended_reason="revoked")
    assert refused(laptop, playing, before).body["reason"] == "revoked"


def test_a_rolled_back_ending(ada, laptop, playing):
    assert not renew(laptop, playing).reached
    with transaction.atomic():
        registry.end_all(ada, UserSession.Reason.REVOKED)
        transaction.set_rollback(True)
    if stores.rolls_back():
        assert not renew(laptop, playing).reached


@stores.KEPT
def test_a_stored_session_that_was_deleted(laptop, playing):
    assert not renew(laptop, playing).reached
    before = shorten(playing)
    stores.engine()(laptop.cookie).delete()
    refused(laptop, playing, before)


@stores.KEPT
def test_a_key_that_another_tab_has_changed(laptop, playing):
    assert not renew(laptop, playing).reached
    other = laptop.twin()
    laptop.change_password("another horse")
    before = shorten(playing)
    refused(other, playing, before)
    answer = renew(laptop, playing)
    assert (answer.status, answer.reached) == (200, False)


def test_data_that_name_another_user(laptop, playing, bob):
    assert not renew(laptop, playing).reached
    laptop.stored = {**laptop.stored, "_auth_user_id": str(bob.pk)}
    refused(laptop, playing, shorten(playing))


def test_data_that_have_changed_are_read_again(laptop, playing):
    assert not renew(laptop, playing).reached
    laptop.stored = {**laptop.stored, "cart": ["film"]}
    assert renew(laptop, playing).status == 200
    before = shorten(playing)
    assert not renew(laptop, playing).reached
    assert is_renewed(playing, before)


@stores.on("db", "cached_db", "db_elsewhere")
def test_a_key_in_another_spelling(laptop, playing):
    """MariaDB ignores case."""
    assert not renew(laptop, playing).reached
    before = shorten(playing)
    laptop.cookie = laptop.cookie.upper()
    refused(laptop, playing, before)


def test_a_session_whose_expiry_is_due(laptop, playing):
    assert not renew(laptop, playing).reached
    before = shorten(playing)
    past = timezone.now() - timedelta(days=1)
    UserSession.objects.update(expires_at=past, expires_reason="absolute")
    assert refused(laptop, playing, before).body["reason"] == "absolute"


def test_an_account_that_was_disabled_past_any_signal(laptop, playing, monkeypatch):
    assert not renew(laptop, playing).reached
    get_user_model().objects.update(is_active=False)
    # It is noticed within a minute.
    assert not renew(laptop, playing).reached
    monkeypatch.setattr(live_keys, "VERIFY", 0.0)
    answer = renew(laptop, playing)
    assert (answer.status, answer.reached) == (401, True)
    assert answer.body["reason"] == "account_disabled"


def test_a_password_changed_past_any_signal(ada, laptop, playing, monkeypatch):
    assert not renew(laptop, playing).reached
    get_user_model().objects.update(password="!other")
    monkeypatch.setattr(live_keys, "VERIFY", 0.0)
    monkeypatch.setattr(not_counting, "STORED_WITHIN", timedelta())
    assert renew(laptop, playing).status == 401


def test_accounts_are_checked_together(laptop, phone, playing, bob, monkeypatch):
    """Sessions wait for the check of others, and none waits for long."""
    checked = []

    def check(ids, *, thorough):
        checked.append(set(ids))
        return standings(ids, thorough=thorough)

    monkeypatch.setattr(live_keys, "standings", check)
    phone.sign_in("bob")
    other = registry.play(phone.row).play.pk
    renew(laptop, playing)
    assert checked == []
    monkeypatch.setattr(live_keys, "BATCH", 2)
    renew(phone, other)
    assert checked == [{laptop.row.pk, phone.row.pk}]
    renew(laptop, playing)
    assert len(checked) == 1


# Activity


def long_ago(visitor, by=timedelta(minutes=5)):
    then = utc_now() - by
    UserSession.objects.filter(pk=visitor.row.pk).update(last_active_at=then)
    return then


def test_a_renewal_is_activity(laptop, playing, time):
    then = long_ago(laptop)
    assert not renew(laptop, playing).reached
    first = laptop.row.last_active_at
    assert first > then
    # Not again within the interval, and then again.
    renew(laptop, playing)
    assert laptop.row.last_active_at == first
    time.advance(61)
    answer = renew(laptop, playing)
    assert not answer.reached
    assert len(answer.statements) == 2
    assert laptop.row.last_active_at > first


def test_activity_that_another_server_has_recorded(laptop, playing, time):
    renew(laptop, playing)
    time.advance(61)
    elsewhere = utc_now() - timedelta(seconds=30)
    UserSession.objects.update(last_active_at=elsewhere)
    assert not renew(laptop, playing).reached
    assert laptop.row.last_active_at == elsewhere
    time.advance(31)
    assert not renew(laptop, playing).reached
    assert laptop.row.last_active_at > elsewhere


class NoActivity(Rules):
    def is_activity(self, request):
        return not request.path.endswith("/renew/")


@pytest.mark.parametrize("counts", [True, False])
def test_the_rules_decide_what_postpones_an_idle_timeout(
    ada, laptop, settings, time, counts
):
    settings.SESSION_LIMIT_IDLE_TIMEOUT = 600
    if not counts:
        settings.SESSION_LIMIT_RULES = f"{__name__}.NoActivity"
    laptop.sign_in()
    play = registry.play(laptop.row).play.pk
    first = laptop.row.last_active_at
    assert not renew(laptop, play).reached
    time.advance(61)
    assert renew(laptop, play).reached
    assert (laptop.row.last_active_at > first) == counts


def test_an_idle_timeout_that_is_new(laptop, playing, settings, time):
    """Activity must then postpone the expiry, which depends on the session's data."""
    assert not renew(laptop, playing).reached
    settings.SESSION_LIMIT_IDLE_TIMEOUT = 600
    time.advance(61)
    assert renew(laptop, playing).reached
    assert laptop.row.expires_reason == "idle"


# Many at once, and databases that do not answer


def test_one_statement_renews_many(ada, laptop, phone, settings, monkeypatch):
    settings.SESSION_LIMIT_PLAYS = None
    laptop.sign_in()
    asked = [(laptop.cookie, registry.play(laptop.row).play.pk) for _ in range(5)]
    assert live_keys.renew_for_players(asked) == [True] * 5
    with statements() as ran:
        assert live_keys.renew_for_players([*asked, asked[0]]) == [True] * 6
    assert len([sql for sql in ran if "session_limit" in sql]) == 1
    registry.stop_play(asked[1][1], laptop.row.pk)
    others = [("x" * 32, asked[0][1]), (laptop.cookie, uuid.uuid4())]
    before = {play: shorten(play) for _, play in asked}
    answers = live_keys.renew_for_players([*asked, *others])
    assert answers == [True, False, True, True, True, False, False]
    for (_, play), answer in zip(asked, answers, strict=False):
        assert is_renewed(play, before[play]) == answer


def test_renewals_that_wait_become_a_group(laptop, playing, monkeypatch):
    groups = []

    def renew_for_players(asked):
        groups.append(len(asked))
        begun.set()
        held.wait(PATIENCE)
        return [True] * len(asked)

    monkeypatch.setattr(live_keys, "renew_for_players", renew_for_players)
    begun, held = threading.Event(), threading.Event()

    @async_to_sync
    async def run():
        ours = hub.current_hub().renewals
        first = asyncio.create_task(ours.renew("a", playing))
        await until(begun.is_set)
        keys = (f"{number}" for number in range(60))
        rest = [asyncio.create_task(ours.renew(key, playing)) for key in keys]
        await asyncio.sleep(0)
        rest[0].cancel()
        held.set()
        assert await first
        assert all(await asyncio.gather(*rest[1:]))
        await hub.current_hub().stop()

    run()
    assert groups == [1, 49, 10]


def test_a_database_that_does_not_answer(laptop, playing, monkeypatch):
    """The guard waits for a limited time, and Django's view serves unknown sessions."""
    monkeypatch.setattr(database_threads, "PATIENCE", 0.5)
    held = threading.Event()
    monkeypatch.setattr(
        live_keys, "renew_for_players", lambda asked: held.wait(PATIENCE)
    )

    @async_to_sync
    async def run():
        ours = hub.current_hub().renewals
        asked = [ours.renew(f"{number}", playing) for number in range(400)]
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(each, NotAnswered) for each in found)
        assert ours._waiting == []
        await hub.current_hub().stop()

    began = monotonic()
    run()
    assert monotonic() - began < 3
    # A session that is not known is found first, and then it is known.
    for _ in range(2):
        answer = renew(laptop, playing)
        assert (answer.status, answer.reached) == (503, False)
        assert answer.headers["retry-after"] == "1"
        assert "no-store" in answer.headers["cache-control"]
    monkeypatch.setattr(live_keys, "find", lambda key: held.wait(PATIENCE))
    live_keys._remembered.clear()
    identification.remember(laptop.cookie, is_live=False)
    answer = renew(laptop, playing)
    held.set()
    assert (answer.status, answer.reached) == (200, True)


def test_a_refused_play_costs_the_others_few_statements(ada, laptop, settings):
    settings.SESSION_LIMIT_PLAYS = None
    laptop.sign_in()
    good = [(laptop.cookie, registry.play(laptop.row).play.pk) for _ in range(49)]
    assert live_keys.renew_for_players(good) == [True] * 49
    for bad in [uuid.uuid4(), uuid.uuid4()]:
        asked = [*good[:20], (laptop.cookie, bad), *good[20:]]
        live_keys.find(laptop.cookie)
        with statements() as ran:
            answers = live_keys.renew_for_players(asked)
        assert answers == [True] * 20 + [False] + [True] * 29
        # 1 + 2 for each of the 6 times that a group of 50 can be halved.
        assert len([sql for sql in ran if "UPDATE" in sql]) <= 13


def test_a_session_does_not_fill_the_groups_of_others(playing, monkeypatch):
    """A client can invent plays, and each costs statements."""
    held = threading.Event()

    def renew_for_players(asked):
        held.wait(PATIENCE)
        return [True] * len(asked)

    monkeypatch.setattr(live_keys, "renew_for_players", renew_for_players)

    @async_to_sync
    async def run():
        ours = hub.current_hub().renewals
        asked = [asyncio.create_task(ours.renew("a", uuid.uuid4())) for _ in range(10)]
        await asyncio.sleep(0)
        with pytest.raises(database_threads.TooManyWaiting):
            await ours.renew("a", playing)
        other = asyncio.create_task(ours.renew("b", playing))
        await asyncio.sleep(0)
        held.set()
        assert all(await asyncio.gather(*asked, other))
        assert await ours.renew("a", playing)
        assert not ours._counts
        await hub.current_hub().stop()

    run()


def test_too_many_renewals_wait(playing, monkeypatch):
    monkeypatch.setattr(renewal_groups, "MAX_WAITING", 0)

    @async_to_sync
    async def run():
        with pytest.raises(database_threads.TooManyWaiting):
            await hub.current_hub().renewals.renew("a", playing)
        await hub.current_hub().stop()

    run()


@ROW_LOCKS
def test_a_locked_play_keeps_no_other_waiting(ada, laptop, phone, playing, settings):
    settings.SESSION_LIMIT_PLAYS = None
    phone.sign_in()
    other = registry.play(phone.row).play.pk
    asked = [(laptop.cookie, playing), (phone.cookie, other)]
    assert live_keys.renew_for_players(asked) == [True, True]
    with locked(Play.objects.filter(pk=playing)):
        began = monotonic()
        assert live_keys.renew_for_players(asked) == [False, True]
        assert monotonic() - began < 1


@ROW_LOCKS
def test_a_locked_session_keeps_no_renewal_waiting(ada, laptop, playing):
    """A sign-in locks the sessions of its account, and a renewal only reads them."""
    assert live_keys.renew_for_players([(laptop.cookie, playing)]) == [True]
    with locked(UserSession.objects.filter(pk=laptop.row.pk)):
        assert live_keys.renew_for_players([(laptop.cookie, playing)]) == [True]


# The lease


def test_the_lease_is_a_setting(laptop, playing, settings):
    settings.SESSION_LIMIT_PLAY_LEASE = timedelta(minutes=2)
    before = shorten(playing)
    answer = renew(laptop, playing)
    assert (answer.body["interval"], answer.body["lease"]) == (40.0, 120.0)
    assert lease_of(playing) > before + timedelta(seconds=100)
    # Another server may have another value during a deployment.
    settings.SESSION_LIMIT_PLAY_LEASE = 10
    answer = renew(laptop, playing)
    assert (answer.body["interval"], answer.body["lease"]) == (3.333, 10.0)
    assert lease_of(playing) < before + timedelta(seconds=30)


@on("postgresql")
def test_only_the_renewal_does_not_wait_for_the_disk(laptop, playing):
    asked = [(laptop.cookie, playing)]
    assert live_keys.renew_for_players(asked) == [True]
    with statements() as ran:
        assert live_keys.renew_for_players(asked) == [True]
    assert any("synchronous_commit = off" in sql for sql in ran)
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        assert cursor.fetchone() == ("on",)


@on("postgresql")
def test_a_renewal_asks_the_server_not_to_wait_for_the_disk(laptop, playing):
    """The statement that renews runs with the setting, not the one after it."""
    asked = [(laptop.cookie, playing)]
    assert live_keys.renew_for_players(asked) == [True]
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE seen (setting text);"
            " CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " INSERT INTO seen VALUES (current_setting('synchronous_commit'));"
            " RETURN NEW; END $$;"
            " CREATE TRIGGER see BEFORE UPDATE ON session_limit_play"
            " FOR EACH ROW EXECUTE FUNCTION see()"
        )
        try:
            assert live_keys.renew_for_players(asked) == [True]
            registry.stop_play(playing, laptop.row.pk)
            cursor.execute("SELECT setting FROM seen")
            assert cursor.fetchall() == [("off",), ("on",)]
        finally:
            cursor.execute(
                "DROP TRIGGER see ON session_limit_play; DROP FUNCTION see;"
                " DROP TABLE seen"
            )


@stores.CHOSEN
@pytest.mark.parametrize("engine", stores.THAT_KEEP)
def test_a_restored_copy_from_before_a_password_change_renews_nothing(
    ada, laptop, settings, tmp_path, engine
):
    """For example, a backup of the store was restored."""
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    settings.SESSION_FILE_PATH = f"{tmp_path}"
    laptop.sign_in()
    play = registry.play(laptop.row).play.pk
    assert renew(laptop, play).status == 200
    thief, data = laptop.twin(), laptop.stored
    laptop.change_password("another secret")
    assert thief.cookie != laptop.cookie
    authorized = [*USUAL, (b"authorization", b"Bearer x")]
    # Django's view decides for the first, and the guard for the others.
    for headers in [authorized, USUAL, USUAL]:
        thief.stored = data
        answer = renew(thief, play, headers)
        assert (answer.status, answer.reached) == (401, True)
        thief.stored = data
        assert live_keys.find(thief.cookie) is None
    assert renew(laptop, play).status == 200


@stores.CHOSEN
def test_a_cookie_from_before_a_password_change_renews_nothing(ada, laptop, settings):
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    laptop.sign_in()
    play = registry.play(laptop.row).play.pk
    assert renew(laptop, play).status == 200
    thief = laptop.twin()
    laptop.change_password("another secret")
    # The guard remembers what the thief's cookie names, and the row what it proves.
    for _ in range(2):
        answer = renew(thief, play)
        assert answer.reached
        assert answer.status == 401
    assert renew(laptop, play).status == 200
