"""Clients send what no browser sends, and the store holds what no code wrote."""

from __future__ import annotations

import pytest

from session_limit.store import engines
from tests import stores
from tests.stories.people import JSON, SIGNED_IN, live, statements


@pytest.fixture
def database(db):
    """Roll back after each test. There are many, and none depends on a commit."""


@pytest.mark.parametrize(
    "cookie",
    [
        "",
        "x",
        "None",
        "null",
        "a" * 7,
        "a" * 40,
        "a" * 41,
        "a" * 10_000,
        "../../../etc/passwd",
        "'; DROP TABLE django_session; --",
        "%00%0d%0a",
        '"quoted key"',
        "{}:1abc:def",
        "clé-clé-clé-clé",
        "key\xff\xfe\xfd\xfc\xfb\xfa",
        "a=b=c=d=e=f",
        "0123456789abcdef0123456789ABCDEF",
    ],
)
def test_garbage_for_a_cookie(ada, laptop, cookie):
    headers = {"Cookie": f"sessionid={cookie}"}
    assert laptop.get("/public/", headers=headers).status_code == 200
    assert laptop.get(laptop.path("whoami"), headers=headers).json() == {"user": None}
    for kind in ({}, JSON, {"HX-Request": "true"}, {"Sec-Fetch-Mode": "cors"}):
        with statements() as ran:
            response = laptop.open(**headers, **kind)
        assert response.status_code == 302
        # The stored session is read, and the row if the key could be a session's.
        assert len(ran) <= 2
    assert laptop.write(headers=headers).status_code == 200
    assert laptop.sign_in(headers=headers).status_code == 302
    assert laptop.state == SIGNED_IN
    assert len(live(ada)) == 1


def test_a_malformed_key_is_not_looked_up_as_somebodys(laptop):
    with statements() as ran:
        laptop.open(Cookie="sessionid=no-key")
    assert ran == [] or not engines.issues_djangos_keys(stores.engine())
    assert not [sql for sql in ran if "key_digest" in sql.partition("WHERE")[2]]


HOSTILE = {
    "long user agent": {"User-Agent": "Mozilla/5.0 " + "x" * 10_000},
    "no user agent": {"User-Agent": ""},
    "markup": {"User-Agent": "\xff\xfe<script>alert(1)</script>\t"},
    "no addresses": {"X-Forwarded-For": ", ,,garbage, 999.999.999.999, ::::, [::1"},
    "many addresses": {"X-Forwarded-For": "1.2.3.4, " * 1000},
    "Latin": {"X-Forwarded-For": "\xe9\xe9\xe9"},
    "empty": {"X-Forwarded-For": ""},
    "what it accepts": {"Accept": "\xff/;;;q=banana", "Accept-Language": "\xff" * 1000},
    "metadata": {"Sec-Fetch-Mode": "\xff", "Sec-Purpose": "\xff"},
    "htmx": {"HX-Request": "true", "HX-Current-URL": "http://["},
    "htmx in Latin": {"HX-Request": "true", "HX-Current-URL": "\xff"},
    "referer": {"Referer": "http://["},
    "referer elsewhere": {"Referer": "http://testserver\\@elsewhere.example/"},
}


@pytest.mark.parametrize("headers", HOSTILE.values(), ids=HOSTILE)
def test_garbage_for_headers(ada, laptop, phone, settings, headers):
    settings.SESSION_LIMIT_TRUSTED_PROXIES = 2
    assert laptop.sign_in(headers=headers).status_code == 302
    assert laptop.open(**headers).status_code == 200
    (row,) = live(ada)
    assert len(row.device) <= 100
    phone.sign_in()
    response = laptop.post(laptop.path("members"), headers=headers)
    assert response.status_code == 401
    assert b"elsewhere" not in response.content
    assert b"<script>alert" not in response.content
    assert laptop.open(**headers).status_code in {302, 401}


FORGED = ["", "x", 1, -1, 1.5, None, True, [], ["x"], {}, {"a": 1}, "f" * 32, "\0" * 32]


@pytest.mark.parametrize("served", ["sync"])  # loading is the same in both
@pytest.mark.parametrize("id", FORGED, ids=repr)
def test_garbage_for_an_id_is_nobody(ada, laptop, id):
    laptop.sign_in()
    laptop.stored = {**laptop.stored, "_session_limit_id": id}
    assert laptop.name is None
    assert laptop.state is None  # it has ended for no known reason
    assert laptop.open().status_code == 401
    assert laptop.open().status_code == 302
    assert laptop.sign_in().status_code == 302
    assert laptop.state == SIGNED_IN


@pytest.mark.parametrize("served", ["sync"])  # loading is the same in both
@pytest.mark.parametrize("id", FORGED, ids=repr)
def test_garbage_for_the_id_of_a_tombstone_is_nobodys(laptop, id):
    laptop.write()
    laptop.stored = {"writes": 1, "_session_limit_ended": id}
    assert laptop.name is None
    assert laptop.write().json()["n"] == 2
    for headers in (JSON, {"HX-Request": "true"}, {}):
        assert laptop.open(**headers).status_code == 401
    assert laptop.open().status_code == 302


def test_the_id_of_somebody_elses_session_is_nobody(ada, bob, laptop, phone):
    laptop.sign_in("ada")
    phone.sign_in("bob")
    laptop.stored = {**laptop.stored, "_session_limit_id": phone.row.pk.hex}
    assert laptop.name is None
    assert laptop.state is None
    assert phone.name == "bob"
    assert len(live(bob)) == 1


# The client names the encoding of a form. The first two can encode half of a surrogate
# pair, which no text contains. The others cannot be decoded as text at all.
NO_TEXT = {
    "utf-7": b"+2AA-",
    "unicode_escape": b"\\ud800",
    "base64": b"x",
    "rot13": b"x",
    "undefined": b"x",
}


@pytest.fixture(params=NO_TEXT)
def no_text(request):
    """Return a function that posts fields that are not valid text."""

    def post(visitor, path, *names, **headers):
        body = b"".join(
            b"--x\r\nContent-Disposition: form-data; name=%s\r\n\r\n%s\r\n"
            % (name.encode(), NO_TEXT[request.param])
            for name in names
        )
        kind = f"multipart/form-data; boundary=x; charset={request.param}"
        body += b"--x--\r\n"
        headers = {"Referer": "http://testserver/", **headers}
        return visitor.client.generic("POST", path, body, kind, headers=headers)

    return post


@pytest.mark.parametrize("served", ["sync"])  # a body is read alike in both
def test_a_form_that_is_no_text_is_told_why_its_session_ended(
    ada, laptop, phone, no_text
):
    """The page shows what was written in a form, but no response could encode this."""
    laptop.sign_in()
    phone.sign_in()
    response = no_text(laptop, laptop.path("members"), "body", Accept="text/html")
    assert response.status_code == 401


@pytest.mark.parametrize("served", ["sync"])  # a body is read alike in both
def test_no_form_of_ours_takes_what_is_no_text(
    ada, laptop, phone, tablet, no_text, settings
):
    settings.SESSION_LIMIT_PLAYS = 1
    laptop.sign_in()
    settings.SESSION_LIMIT_AT_LIMIT = "ask"
    phone.sign_in()
    for visitor, path, names in [
        (phone, "/account/sessions/choose/", ["choice", "end"]),
        (laptop, "/account/sessions/plays/", ["what"]),
        (laptop, "/account/sessions/plays/", ["key"]),
        (laptop, "/account/sessions/plays/stop/", ["key"]),
    ]:
        response = no_text(visitor, path, *names, **JSON)
        assert response.status_code == 400
    settings.SESSION_LIMIT_AT_LIMIT = "displace"
    tablet.sign_in()
    response = no_text(laptop, "/account/sessions/ended/", "token", "next")
    assert response.status_code == 400
    assert laptop.state == "displaced"
