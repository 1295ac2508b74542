"""Ada receives a mail when she signs in from a browser that she has not used before."""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

import pytest
from django.core import mail
from django.db import connections
from django.utils import timezone

from session_limit.client import browser_cookie
from session_limit.models import UserSession
from session_limit.pages import new_sign_in
from session_limit.rules import Rules
from tests.stories.people import SIGNED_IN, make_user
from tests.stories.urls import urlpatterns as project

ADDRESS = "ada@example.com"

WITHOUT_OURS = tuple(each for each in project if "account" not in str(each.pattern))


@pytest.fixture(autouse=True)
def mailing(settings):
    settings.SESSION_LIMIT = 20
    settings.SESSION_LIMIT_NEW_SIGN_IN = "mail"


@pytest.fixture
def ada(django_user_model):
    if not hasattr(django_user_model, "EMAIL_FIELD"):
        pytest.skip("this user model has no email address")
    if django_user_model.USERNAME_FIELD == "email":
        return make_user(ADDRESS)
    return make_user(ADDRESS, email=ADDRESS)


@pytest.fixture
def outbox(ada, laptop):
    """Sign ada in once, so that her account is not new, and return the mails."""
    laptop.sign_in(ADDRESS)
    assert mail.outbox == []
    return mail.outbox


def html(message):
    [(body, content_type)] = message.alternatives
    assert content_type == "text/html"
    return body


def test_it_says_what_and_what_to_do(outbox, phone, settings):
    settings.SESSION_LIMIT_SECURE_ACCOUNT_URL = "/secure/"
    settings.SESSION_LIMIT_SUPPORT_URL = "https://help.example/"
    phone.sign_in(ADDRESS)
    [message] = outbox
    assert message.subject == "New sign-in: Chrome on Android"
    assert message.to == [ADDRESS]
    assert message.extra_headers == {"Auto-Submitted": "auto-generated"}
    for text in (message.body, html(message)):
        assert "Chrome on Android" in text
        assert "testserver" in text
        assert timezone.localtime().strftime("%Y") in text
        assert "If this was you, do nothing." in text
        assert "Wasn't you?" in text
        assert "http://testserver/account/sessions/" in text
        assert "http://testserver/secure/" in text
        assert "https://help.example/" in text


def test_it_gives_nothing_away(outbox, phone, settings):
    settings.SESSION_LIMIT_STORE_ADDRESS = "full"
    phone.sign_in(ADDRESS)
    [message] = outbox
    row, text = phone.row, str(message.message())
    assert row.address == "127.0.0.1"
    secrets = (row.address, str(row.pk), row.pk.hex, row.key_digest)
    assert not [each for each in (*secrets, phone.cookie) if each and each in text]


@pytest.mark.parametrize("words", ["kicked", "violation", "suspicious", "someone", "!"])
def test_it_is_calm(outbox, phone, words):
    phone.sign_in(ADDRESS)
    [message] = outbox
    assert words not in (message.subject + message.body).lower()


def test_without_addresses_to_go_to(outbox, phone, settings):
    settings.ROOT_URLCONF = WITHOUT_OURS
    phone.sign_in(ADDRESS)
    [message] = outbox
    for text in (message.body, html(message)):
        assert "Wasn't you?" not in text
        assert "http" not in text


def test_it_is_told_as_a_message_too(outbox, laptop, phone):
    phone.sign_in(ADDRESS)
    laptop.open()
    assert len(laptop.get("/messages/").json()) == 1


def test_it_is_off_by_default(outbox, phone, settings):
    del settings.SESSION_LIMIT_NEW_SIGN_IN
    phone.sign_in(ADDRESS)
    assert outbox == []


def test_an_accounts_first_sign_in_is_no_news(ada, laptop):
    laptop.sign_in(ADDRESS)
    assert mail.outbox == []


def test_a_known_browser_is_no_news(outbox, laptop):
    laptop.sign_out()
    laptop.sign_in(ADDRESS)
    laptop.sign_in(ADDRESS)
    assert outbox == []


def test_a_new_one_is_news_where_no_session_is_left(outbox, laptop, phone):
    laptop.sign_out()
    phone.sign_in(ADDRESS)
    assert len(outbox) == 1


def test_displacing_is_news(outbox, laptop, phone, settings):
    settings.SESSION_LIMIT = 1
    phone.sign_in(ADDRESS)
    assert len(outbox) == 1
    assert laptop.state == "displaced"


def test_a_refused_sign_in_is_none(outbox, phone, settings):
    settings.SESSION_LIMIT = 1
    settings.SESSION_LIMIT_AT_LIMIT = "deny"
    phone.sign_in(ADDRESS)
    assert outbox == []


class Exempt(Rules):
    def exempt(self, user, request):
        return True


def test_an_exempt_one_is_none(outbox, phone, settings):
    settings.SESSION_LIMIT_RULES = f"{__name__}.Exempt"
    phone.sign_in(ADDRESS)
    assert outbox == []


def test_an_adopted_one_is_none(outbox, phone):
    phone.post("/by-hand/", {"name": ADDRESS})
    assert phone.state == SIGNED_IN
    assert outbox == []


def test_the_first_one_of_an_old_account_is_news(ada, phone, settings):
    """The account may have signed in before, longer ago than its rows are kept."""
    if not hasattr(ada, "date_joined"):
        pytest.skip("this user model does not record when an account was made")
    ada.date_joined = timezone.now() - timedelta(days=31)
    ada.save()
    phone.sign_in(ADDRESS)
    assert len(mail.outbox) == 1


def test_a_script_is_not_reported_on_and_on(outbox, browser):
    for _ in range(new_sign_in.MAX_SIGN_INS + 3):
        browser().sign_in(ADDRESS)
    assert len(outbox) == new_sign_in.MAX_SIGN_INS - 1


def test_those_of_the_day_before_do_not_count(outbox, phone):
    hours_ago = timezone.now() - timedelta(hours=2)
    [row] = UserSession.objects.all()
    UserSession.objects.bulk_create(
        UserSession(
            user_id=row.user_id,
            created_at=hours_ago,
            expires_at=hours_ago,
            ended_at=hours_ago,
            ended_reason=UserSession.Reason.SIGNED_OUT,
        )
        for _ in range(new_sign_in.MAX_SIGN_INS)
    )
    phone.sign_in(ADDRESS)
    assert len(outbox) == 1


def test_who_has_no_address_gets_none(phone, browser):
    make_user("eve")
    browser().sign_in("eve")
    if "eve" in mail_addresses():
        pytest.skip("in this user model, the name is the address")
    phone.sign_in("eve")
    assert mail.outbox == []
    assert phone.state == SIGNED_IN


def mail_addresses():
    users = UserSession._meta.get_field("user").related_model
    return [getattr(user, "email", None) for user in users.objects.all()]


def test_a_mail_that_cannot_be_sent_fails_no_sign_in(outbox, phone, caplog):
    sending = "django.core.mail.EmailMultiAlternatives.send"
    with mock.patch(sending, side_effect=ConnectionRefusedError):
        assert phone.sign_in(ADDRESS).status_code == 302
    assert phone.state == SIGNED_IN
    [record] = [each for each in caplog.records if each.exc_info]
    assert "mail_new_sign_in" in record.getMessage()


@pytest.fixture
def atomic():
    connections.settings["default"]["ATOMIC_REQUESTS"] = True
    yield
    connections.settings["default"]["ATOMIC_REQUESTS"] = False


# Django has no ATOMIC_REQUESTS for asynchronous views.
@pytest.mark.parametrize("served", ["sync"], indirect=True)
def test_a_sign_in_that_is_rolled_back_is_none(outbox, atomic, laptop, phone):
    response = phone.post("/play/", {"acts": f"login:{ADDRESS} rollback"})
    assert response.status_code == 200
    assert browser_cookie.COOKIE not in response.cookies
    assert laptop.row.notice is None
    assert outbox == []
    phone.post("/play/", {"acts": f"login:{ADDRESS}"})
    assert len(outbox) == 1


def test_it_speaks_the_language_of_the_sign_in(outbox, phone, settings):
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.middleware.locale.LocaleMiddleware",
    ]
    phone.sign_in(ADDRESS, headers={"Accept-Language": "ar"})
    [message] = outbox
    assert '<html lang="ar" dir="rtl">' in html(message)


def test_the_subject_is_one_line(outbox, phone, settings, tmp_path):
    mails = tmp_path / "session_limit" / "mail"
    mails.mkdir(parents=True)
    subject = mails / "new_sign_in_subject.txt"
    subject.write_text("\n  Hello\nBcc: eve@example.com\r\n\n")
    (mails / "new_sign_in.html").write_text("<b>{{ user.email }}</b>")
    [engine] = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "DIRS": [tmp_path, *engine["DIRS"]]}]
    phone.sign_in(ADDRESS)
    [message] = outbox
    assert message.subject == "Hello Bcc: eve@example.com"
    assert html(message) == f"<b>{ADDRESS}</b>"


def test_text_is_not_escaped_and_html_is(outbox, browser):
    with mock.patch.object(new_sign_in, "device_label", return_value="Tom & Jerry's"):
        browser("").sign_in(ADDRESS)
    [message] = outbox
    assert message.subject == "New sign-in: Tom & Jerry's"
    assert "Tom & Jerry's" in message.body
    assert "Tom &amp; Jerry&#x27;s" in html(message)
