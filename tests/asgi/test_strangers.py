"""Test that a flood of made-up cookies does not delay anyone who is signed in."""

import asyncio
import contextlib

import pytest
from django.conf import settings as django_settings
from django.contrib.sessions.backends import cache, db
from django.contrib.sessions.backends.base import VALID_KEY_CHARS
from django.core.handlers.asgi import ASGIHandler
from django.http import parse_cookie
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from session_limit import gateway, live_keys
from session_limit.asgi import event_stream, hub
from session_limit.asgi.disconnects import PROMPT, ClientDisconnected, Inbox
from session_limit.asgi.scopes import request_of, with_one_cookie_header
from session_limit.store import engines, identification
from session_limit.wsgi import SessionGateway
from tests.asgi.test_gateway import ADDRESS, ENGINES_OF_DJANGOS
from tests.asgi.test_sockets import story
from tests.asgi.wire import Response, Socket, occupied, until

EVENTS = "/account/sessions/events/"
INVENTED = "x" * 32

# A busy machine may be slow, which is no failure of the tested code.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(autouse=True)
def nobody_is_known():
    identification._known.clear()
    live_keys._verified.clear()


class Stranger:
    """A client with a made-up cookie."""

    user_agent = "curl/8"

    def __init__(self, cookie=INVENTED):
        self.cookie = cookie


def question(visitor, query=""):
    return Response(ASGIHandler(), visitor, ADDRESS, query_string=query.encode())


def stream(visitor):
    return Response(ASGIHandler(), visitor, EVENTS)


async def accepting(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    await receive()


class Lane:
    """A thread of the hub that records the calls it was given and those it ran."""

    def __init__(self, thread):
        self.thread, self.asked, self.did = thread, [], []

    async def run(self, function, *args, **kwargs):
        def call():
            self.did.append(function)
            return function(*args, **kwargs)

        self.asked.append(function)
        return await self.thread.run(call)

    def close(self):
        self.thread.close()


@pytest.fixture
def lanes(monkeypatch):
    """Wrap the threads of each new hub in a ``Lane``."""
    real = hub.Hub.__init__

    def init(self):
        real(self)
        for name in ("_identifying", "judging", "renewing", "strangers"):
            setattr(self, name, Lane(getattr(self, name)))

    monkeypatch.setattr(hub.Hub, "__init__", init)


def test_who_is_known_does_not_wait_for_strangers(ada, laptop, lanes):
    laptop.sign_in()

    @story
    async def _():
        ours = hub.current_hub()
        async with question(laptop) as first:
            assert (await first.started())["status"] == 200
        async with occupied(ours.strangers.thread), question(Stranger()) as stranger:
            await until(lambda: ours.strangers.asked == [gateway.judge] * 2)
            for query in ("", "activity=1"):
                async with question(laptop, query) as known:
                    assert (await known.started())["status"] == 200
            async with stream(laptop) as known:
                assert (await known.started())["status"] == 200
            async with Socket(accepting, laptop) as socket:
                await socket.accepted()
            assert stranger.to_client.empty()


@pytest.mark.parametrize("cookie", [None, INVENTED])
def test_who_has_seen_a_page_is_known(ada, laptop, lanes, cookie):
    """The process knows a session that the middleware has found live."""
    laptop.sign_in()
    visitor = laptop if cookie is None else Stranger(cookie)

    @story
    async def _():
        async with Response(
            ASGIHandler(), visitor, "/account/sessions/status/"
        ) as page:
            await page.started()
            await page.done()
        assert identification.is_known(visitor.cookie) is (cookie is None)


def test_strangers_keep_no_question_waiting_that_writes(ada, laptop, lanes):
    @story
    async def _():
        ours = hub.current_hub()
        for query in ("activity=1", "play=x&renew=1"):
            async with question(Stranger(), query) as response:
                assert (await response.started())["status"] == 401
        assert ours.renewing.asked == []
        assert ours.strangers.did == [gateway.judge] * 2


def test_the_first_question_writes_too(ada, laptop, time, settings):
    settings.SESSION_LIMIT_IDLE_TIMEOUT = 600
    laptop.sign_in()
    time.advance(500)
    identification._known.clear()

    @story
    async def _():
        async with question(laptop, "activity=1") as response:
            assert (await response.started())["status"] == 200

    time.advance(500)
    assert laptop.state == "signed in"


def test_who_has_ended_is_a_stranger(ada, laptop, phone, lanes):
    laptop.sign_in()

    @story
    async def _():
        for ask, status in ((question, 200), (stream, 200)):
            async with ask(laptop) as response:
                assert (await response.started())["status"] == status
        assert identification.is_known(laptop.cookie)

    phone.sign_in()

    @story
    async def _():
        async with question(laptop) as response:
            assert (await response.started())["status"] == 401
        assert not identification.is_known(laptop.cookie)


@pytest.mark.parametrize("ask", [question, stream])
def test_a_question_that_its_client_has_left_is_dropped(ada, laptop, lanes, ask):
    laptop.sign_in()

    @story
    async def _():
        ours = hub.current_hub()
        response = ask(Stranger())
        async with occupied(ours.strangers.thread), response:
            await until(lambda: ours.strangers.asked)
            response.hear({"type": "http.disconnect"})
            await response.done()
            assert response.to_client.empty()
        assert await ours.strangers.thread.run(int) == 0
        assert ours.strangers.did == []


def test_a_handshake_that_its_client_has_left_is_dropped(ada, laptop, lanes):
    ran = []

    async def application(scope, receive, send):
        ran.append(scope)

    @story
    async def _():
        ours = hub.current_hub()
        socket = Socket(application, Stranger())
        async with occupied(ours.strangers.thread), socket:
            await until(lambda: ours.strangers.asked)
            socket.hear({"type": "websocket.disconnect", "code": 1006})
            await socket.done()
        assert await ours.strangers.thread.run(int) == 0
        assert (ours.strangers.did, ran) == ([], [])


def test_a_handshake_that_takes_long_is_the_applications(ada, laptop, lanes):
    got = []

    async def application(scope, receive, send):
        got.append(await receive())

    @story
    async def _():
        ours = hub.current_hub()
        socket = Socket(application, Stranger())
        async with contextlib.AsyncExitStack() as stack:
            async with occupied(ours.strangers.thread):
                await stack.enter_async_context(socket)
                await until(socket.to_application.empty)
            await socket.done()

    assert [each["type"] for each in got] == ["websocket.connect"]


def test_the_application_gets_every_message(ada, laptop):
    """The application also receives what arrived while the guard read the session."""
    got = []

    async def application(scope, receive, send):
        got.extend([await receive(), await receive()])

    @story
    async def _():
        async with Socket(application, Stranger()) as socket:
            socket.hear({"type": "websocket.receive", "text": "hello"})
            await socket.done()

    assert [each["type"] for each in got] == ["websocket.connect", "websocket.receive"]


def test_a_server_that_cancels_the_application():
    """The guard passes a server's cancellation on, and raises no ``Gone`` for it."""

    async def main():
        with Inbox(asyncio.Event().wait) as inbox:
            work = inbox.run_unless_disconnected(asyncio.Event().wait())
            task = asyncio.create_task(work)
            await asyncio.sleep(2 * PROMPT)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()

    asyncio.run(main())


def test_the_message_that_was_asked_for_meanwhile_is_the_applications():
    messages = asyncio.Queue()

    async def main():
        with Inbox(messages.get) as inbox:
            await inbox.run_unless_disconnected(asyncio.sleep(2 * PROMPT))
            messages.put_nowait({"type": "websocket.receive", "text": "1"})
            messages.put_nowait({"type": "websocket.receive", "text": "2"})
            return [(await inbox.receive())["text"] for _ in range(2)]

    assert asyncio.run(main()) == ["1", "2"]


def test_an_error_of_the_server_is_not_swallowed():
    async def receive():
        raise OSError("reset")

    async def main():
        with Inbox(receive) as inbox, pytest.raises(OSError, match="reset"):
            await inbox.run_unless_disconnected(asyncio.Event().wait())

    asyncio.run(main())


def test_a_body_is_not_kept():
    messages = [{"type": "http.request", "body": b"x", "more_body": True}] * 1_000

    async def receive():
        await asyncio.sleep(0)
        return messages.pop() if messages else {"type": "http.disconnect"}

    async def main():
        with Inbox(receive) as inbox:
            with pytest.raises(ClientDisconnected):
                await inbox.run_unless_disconnected(asyncio.Event().wait())
            assert not inbox._read

    asyncio.run(main())


# Keys that cannot belong to a stored session


class OwnKeys(db.SessionStore):
    def _get_new_session_key(self):
        return "one-of-my-own"


class OwnCreate(cache.SessionStore):
    def create(self):
        self._session_key = "one-of-my-own"


class Untouched(db.SessionStore):
    cookie_salt = "x"


@pytest.mark.parametrize(
    ("store", "is_djangos"),
    [
        *((each, not engines.is_cookie(each)) for each in engines.DJANGOS),
        (OwnKeys, False),
        (OwnCreate, False),
        (Untouched, True),
    ],
    ids=lambda value: f"{getattr(value, '__module__', value)}.{value}",
)
def test_engines_with_keys_of_their_own_are_asked(store, is_djangos):
    assert engines.issues_djangos_keys(store) == is_djangos
    assert engines.may_hold(store, "a" * 32)
    # Other code may have stored a session under such a key.
    assert engines.may_hold(store, "one-of-my-own")
    assert engines.may_hold(store, "short") == (not is_djangos)
    assert not engines.may_hold(store, "")
    assert not engines.may_hold(store, "nul-in-the-middle\0")


@pytest.mark.parametrize(
    "key", ["a" * 7, "a" * 41, "é" * 32, " " * 32, "a" * 31 + " ", "a" * 31 + "\n"]
)
def test_a_key_that_nothing_is_stored_under(key):
    assert not engines.may_hold(db.SessionStore, key)


COOKIES = st.lists(
    st.sampled_from(
        [
            *(";", "; ", "=", " ", "\xa0", '"', "\\101", "\\", "a", "path=/"),
            *("sessionid", "sessionid=", f"sessionid={'a' * 32}", f'="{"b" * 32}"'),
        ]
    ),
    max_size=12,
).map("".join)


@given(COOKIES)
def test_the_key_in_a_header_is_the_one_that_django_finds(header):
    found = identification.session_key_in_header(header)
    assert found == identification.session_key_in(parse_cookie(header))


def test_no_other_cookie_is_unquoted(monkeypatch):
    """Fails if a client can choose how long the event loop parses its header."""
    unquoted, key = [], "a" * 32
    monkeypatch.setattr(
        "http.cookies._unquote", lambda value: unquoted.append(value) or value
    )
    long = '"' + r"\1" * 4096 + '"'
    header = f"a={long}; sessionid={key}; b={long}"
    assert identification.session_key_in_header(header) == key
    assert unquoted == [key]
    assert identification.session_key_in_header(f"sessionid={long}") is None
    assert unquoted == [key]


@unhurried
@given(st.text(VALID_KEY_CHARS, min_size=32, max_size=32))
def test_every_key_of_djangos(key):
    assert engines.may_hold(db.SessionStore, key)


@ENGINES_OF_DJANGOS
@pytest.mark.parametrize("cookie", ["", "x", "x" * 41, "x" * 7, "a" * 9_000, "é" * 32])
def test_what_cannot_be_ours_takes_no_thread(ada, laptop, lanes, cookie, settings):
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.db"
    ran = []

    async def application(scope, receive, send):
        ran.append(await receive())

    @story
    async def _():
        ours = hub.current_hub()
        async with question(Stranger(cookie)) as response:
            assert (await response.started())["status"] == 401
        async with stream(Stranger(cookie)) as response:
            assert (await response.started())["status"] == 204
        async with Socket(application, Stranger(cookie)) as socket:
            await socket.done()
        assert [each["type"] for each in ran] == ["websocket.connect"]
        for lane in (ours.strangers, ours._identifying, ours.judging, ours.renewing):
            assert lane.asked == []


# Overload


@pytest.fixture
def full(monkeypatch):
    """Make every thread of the hub refuse calls, as if its queue were full."""

    async def run(self, function, *args, **kwargs):
        raise BlockingIOError("full")

    monkeypatch.setattr(hub.DatabaseThread, "run", run)


def test_what_is_too_much_is_asked_again_later(ada, laptop, full):
    laptop.sign_in()

    @story
    async def _():
        async with question(laptop) as response:
            started = await response.started()
            assert started["status"] == 503
            assert dict(started["headers"])[b"retry-after"] == b"1"
        async with stream(laptop) as response:
            started = await response.started()
            assert started["status"] == 503
            lowest, highest = event_stream.RETRY_AFTER
            again = int(dict(started["headers"])[b"retry-after"])
            assert lowest <= again <= highest
        async with Socket(ASGIHandler(), laptop) as socket:
            await socket.accepted()
            assert (await socket.closed())[0] == 1013


# Hostile headers

LISTED = [
    b"http://[",
    b"http://[::1",
    b"http://[]:80",
    b"http://testserver@evil.example",
    b"http://evil.example#testserver",
    b"http://evil.example/testserver",
    b"http://testserver.evil.example",
    b"//testserver\x00",
    b"null",
    b"",
    b"\xff\xfe",
    b"http://\xe9",
]


@pytest.mark.parametrize("origin", LISTED)
def test_a_hostile_origin_is_foreign(ada, laptop, origin):
    laptop.sign_in()

    @story
    async def _():
        headers = [(b"origin", origin)]
        async with Response(ASGIHandler(), laptop, EVENTS, headers) as response:
            assert (await response.started())["status"] == 403


@unhurried
@given(origin=st.binary(), host=st.binary(), site=st.binary())
def test_no_header_raises(origin, host, site):
    headers = [(b"host", host), (b"origin", origin), (b"sec-fetch-site", site)]
    is_same_origin = site in {b"same-origin", b"none"} and origin.endswith(host)
    assert event_stream._is_foreign({"headers": headers}) or is_same_origin


SCOPE = {"type": "http", "path": "/", "root_path": "", "query_string": b"", "client": 0}
HEADERS = st.lists(
    st.tuples(
        st.sampled_from([b"cookie", b"host", b"content-type", b"content-length"]),
        st.binary(),
    )
)


@unhurried
@given(query=st.binary(), headers=HEADERS)
def test_no_request_raises(query, headers):
    scope = with_one_cookie_header({**SCOPE, "query_string": query, "headers": headers})
    request = request_of(scope)
    assert sum(name == b"cookie" for name, _ in scope["headers"]) <= 1
    identification.session_key_in(request.COOKIES)
    for is_below in (False, True):
        cookies = request.META.get("HTTP_COOKIE", "")
        gateway.question(cookies, query.decode("latin1"), is_below=is_below)


@unhurried
@given(path=st.binary(), query=st.binary(), cookie=st.binary())
def test_no_environ_raises(path, query, cookie):
    """An environ holds bytes as text, decoded from Latin-1 (PEP 3333)."""
    began = []
    environ = {
        "PATH_INFO": ADDRESS + path.decode("latin1"),
        "QUERY_STRING": query.decode("latin1"),
        "HTTP_COOKIE": cookie.decode("latin1"),
        "REQUEST_METHOD": "GET",
    }
    SessionGateway(lambda environ, start_response: [])(
        environ, lambda *args: began.append(args)
    )
    assert began[0][0] in {"401 Unauthorized", "403 Forbidden"}


def test_two_cookie_headers_are_one_for_everybody(ada, laptop, phone):
    """Fails if the guard and the application behind it read different headers."""
    laptop.sign_in()
    ended = laptop.cookie
    phone.sign_in()
    name, seen = django_settings.SESSION_COOKIE_NAME.encode(), []

    async def application(scope, receive, send):
        seen.append([value for each, value in scope["headers"] if each == b"cookie"])

    @story
    async def _():
        for one, other, runs in ((ended, phone.cookie, 1), (phone.cookie, ended, 0)):
            seen.clear()
            phone_like = Stranger(one)
            second = (b"cookie", b"a=b; " + name + b"=" + other.encode())
            socket = Socket(application, phone_like)
            socket.scope["headers"].append(second)
            async with socket:
                await socket.done()
            assert len(seen) == runs
            assert all(len(each) == 1 for each in seen)
