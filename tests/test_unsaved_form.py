"""What people can copy from a form that could not be saved, and what is never shown."""

from __future__ import annotations

import io

import pytest
from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadedfile import SimpleUploadedFile
from django.forms.utils import pretty_name
from django.test import RequestFactory
from django.views.decorators.debug import sensitive_post_parameters

from session_limit.client import unsaved_form

HERE = {"Referer": "http://testserver/write/"}
LONG = "We anchored at four metres, mud over clay.\n\nA quiet night."


def post(data, *, headers=HERE, **kwargs):
    return RequestFactory().post("/write/", data, headers=headers, **kwargs)


def names(data):
    return [name for name, _ in unsaved_form.of_post(post(data))]


def test_what_was_written_is_kept_as_it_was():
    request = post({"title": "Log", "body": LONG, "log_line": ["one", "two"]})
    assert unsaved_form.of_post(request) == [
        ("Title", "Log"),
        ("Body", LONG),
        ("Log line", "one"),
        ("Log line", "two"),
    ]


def test_a_form_with_a_file_keeps_its_text():
    file = SimpleUploadedFile("tide.png", b"\x89PNG" * 100)
    assert names({"body": LONG, "photo": file}) == ["Body"]


def test_urlencoded():
    kind = "application/x-www-form-urlencoded"
    request = post("body=A+quiet+night&empty=", content_type=kind)
    assert unsaved_form.of_post(request) == [("Body", "A quiet night")]


def test_what_is_not_a_form_keeps_nothing():
    assert (
        unsaved_form.of_post(post({"body": LONG}, content_type="application/json"))
        == []
    )
    assert (
        unsaved_form.of_post(RequestFactory().get("/", {"a": "b"}, headers=HERE)) == []
    )
    assert (
        unsaved_form.of_post(RequestFactory().put("/", b"body=x", headers=HERE)) == []
    )


@pytest.mark.parametrize(
    ("headers", "is_kept"),
    [
        ({}, False),
        ({"Referer": "https://elsewhere.example/"}, False),
        ({"Referer": "http://testserver/x"}, True),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "same-site", **HERE}, False),
        ({"Sec-Fetch-Site": "cross-site", **HERE}, False),
        ({"Sec-Fetch-Site": "none", **HERE}, False),
    ],
)
def test_another_site_puts_no_words_onto_a_page_of_ours(headers, is_kept):
    assert bool(unsaved_form.of_post(post({"body": LONG}, headers=headers))) is is_kept


@pytest.mark.parametrize(
    "name",
    [
        "csrfmiddlewaretoken",
        "password",
        "new_password1",
        "Passwort-neu",
        "passphrase",
        "pass",
        "db-pass",
        "pwd",
        "userPIN",
        "pin",
        "otp_token",
        "otp",
        "code",
        "smsCode",
        "verification_code",
        "client_secret",
        "card",
        "card-number",
        "cardNumber",
        "cc-number",
        "cvc",
        "cvv2",
        "form-0-IBAN",
        "api_key",
        "apiToken",
        "g-recaptcha-token",
        "ssn",
    ],
)
def test_a_field_that_may_hold_a_secret_is_not_shown(name):
    assert names({name: "x", "body": LONG}) == ["Body"]


@pytest.mark.parametrize(
    "name", ["opinion", "shipping", "passenger", "keyword", "discard", "barcode_list"]
)
def test_a_word_that_only_looks_like_one_is_kept(name):
    assert names({name: "x"}) == [pretty_name(name)]


@pytest.mark.parametrize(
    "name", ["_save", "_method", "next", "form-TOTAL_FORMS", "a-b-INITIAL_FORMS"]
)
def test_what_nobody_has_written_is_not_shown(name):
    assert names({name: "1", "body": LONG}) == ["Body"]


def test_what_is_empty_is_not_shown():
    assert names({"a": "", "b": " \n", "body": LONG}) == ["Body"]


@pytest.mark.parametrize(
    "charset", ["utf-7", "unicode_escape", "raw_unicode_escape", "base64", "undefined"]
)
def test_what_is_no_text_in_the_encoding_of_its_client_is_not_shown(charset):
    body = (
        b"--x\r\nContent-Disposition: form-data; name=body\r\n\r\n"
        b"+2AA- \\ud800\r\n--x--\r\n"
    )
    kind = f"multipart/form-data; boundary=x; charset={charset}"
    request = RequestFactory().generic("POST", "/", body, kind, headers=HERE)
    assert unsaved_form.of_post(request) == []


@pytest.mark.parametrize(("named", "shown"), [((), []), (("body",), ["Title"])])
def test_what_a_view_calls_sensitive_is_not_shown(named, shown):
    request = post({"title": "Log", "body": LONG})
    sensitive_post_parameters(*named)(lambda request: None)(request)
    assert [name for name, _ in unsaved_form.of_post(request)] == shown


def test_no_more_than_a_page_can_hold():
    data = {"a": "a" * 40_000, "b": "b" * 40_000, "c": "c" * 20_000, "d": "d"}
    assert names(data) == ["A", "C", "D"]


def test_a_body_that_is_too_long_is_not_even_read():
    request = post({"body": "b" * unsaved_form.MAX_BODY})
    assert unsaved_form.of_post(request) == []
    assert not hasattr(request, "_post")


@pytest.mark.parametrize("length", ["", "many", "-1", "0"])
def test_a_length_that_is_none(length):
    request = post({"body": LONG})
    request.META["CONTENT_LENGTH"] = length
    assert unsaved_form.of_post(request) == []


def test_a_body_that_cannot_be_read():
    kind = "application/x-www-form-urlencoded"

    class Cut(io.BytesIO):
        def read(self, *args):
            raise OSError("the client has gone")

    request = post("body=x", content_type=kind)
    request._stream = Cut()
    assert unsaved_form.of_post(request) == []

    request = post("body=x", content_type=kind)
    request.read()
    assert unsaved_form.of_post(request) == []

    request = post("a=1&" * 2000, content_type=kind)
    with pytest.raises(SuspiciousOperation):
        request.POST  # noqa: B018 more fields than Django takes
    assert unsaved_form.of_post(request) == []


@pytest.mark.parametrize(
    "kind", ["multipart/form-data", "multipart/form-data; boundary=x; charset=nosuch"]
)
def test_a_body_that_is_malformed(kind):
    body = b"\xff\x00--x\r\n"
    request = RequestFactory().generic("POST", "/write/", body, kind, headers=HERE)
    assert unsaved_form.of_post(request) == []


def test_text_that_is_no_text():
    kind = "application/x-www-form-urlencoded"
    shown = unsaved_form.of_post(post(b"body=\xff%ff%00<b>", content_type=kind))
    assert [name for name, _ in shown] == ["Body"]
